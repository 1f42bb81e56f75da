import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { Command } from 'commander'
import { integer } from '../../src/cli/options/parsers.ts'
import { baseModelFolder } from '../../src/cli/options/shipped-model.ts'
import { printProgress, printResult } from '../../src/cli/terminal/output.ts'
import { PEERS_MAX, TESTNET_DEFAULTS } from './options.ts'
import { prepareTestnet } from './prepare-homes.ts'

interface PrepareFlags {
  peers: number
  out: string
  port: number
  json?: boolean
}

/** In effect unlimited: a network of services runs until it is stopped. */
const ROUNDS = 1_000_000

const command = new Command('prepare')
  .description('create the homes of a network whose peers run elsewhere: keys, texts, settings, charter')
  .requiredOption('--out <folder>', 'folder for the homes peer-0, peer-1 and so on; must not contain any yet')
  .option('--peers <n>', 'peers', integer('--peers', 1, PEERS_MAX), 3)
  .option('--port <n>', 'port on which each peer listens', integer('--port', 1, 65_535), 4001)
  .option('--json', 'print one JSON object as the last line')
  .addHelpText(
    'after',
    `
Each peer listens on that port of all addresses and finds the others by the names
of their homes: host peer-0 has the home peer-0, as deploy/compose.yaml expects.

  $ node dist/scripts/testnet/prepare.js --peers 3 --out /homes`
  )
  .action(prepare)

async function prepare({ peers, out, port, json }: PrepareFlags): Promise<void> {
  const folder = resolve(out)
  await mkdir(folder, { recursive: true })
  if ((await readdir(folder)).some((name) => name.startsWith('peer-')))
    throw new Error(`${folder} contains homes already: choose another --out, or remove them`)
  const options = { ...TESTNET_DEFAULTS, peers, rounds: ROUNDS, model: baseModelFolder(), folder }
  const prepared = await prepareTestnet(options, printProgress)
  const addresses = prepared.peers.map(({ index, peerId }) => `/dns4/peer-${index}/tcp/${port}/p2p/${peerId}`)
  for (const { home, index } of prepared.peers) {
    const { rounds: _, ...settings } = JSON.parse(await readFile(home.config, 'utf8')) as { rounds: number }
    const network = {
      listen: [`/ip4/0.0.0.0/tcp/${port}`],
      bootstrap: addresses.filter((_address, other) => other !== index),
      mdns: false
    }
    await writeFile(home.config, `${JSON.stringify({ ...settings, network }, undefined, 2)}\n`)
  }
  const homes = prepared.peers.map(({ index }) => join(folder, `peer-${index}`))
  printResult({ homes, charter: prepared.charter }, json === undefined ? {} : { json }, () =>
    homes.join('\n')
  )
}

await command.parseAsync()
