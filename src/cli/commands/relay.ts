import { Command, Option } from 'commander'
import { homeAt } from '../../node/home/home.ts'
import { LOG_LEVELS, type LogLevel } from '../../node/log/levels.ts'
import type { Log } from '../../node/log/log.ts'
import type { Relay } from '../../node/relay/relay.ts'
import { integer, positiveNumber } from '../options/parsers.ts'
import { EXIT, printProgress, printResult, printText } from '../terminal/output.ts'
import { UsageError } from '../terminal/usage-error.ts'
import { stopSignal, surviveStrayErrors } from './peer/daemon-process.ts'

interface RelayFlags {
  home: string
  charter?: string
  allow: string[]
  listen: string[]
  announce: string[]
  upnp: boolean
  reservations: number
  connectionMegabytes?: number
  connectionMinutes?: number
  logLevel: LogLevel
  verbose?: boolean
  json?: boolean
}

/** Addresses that a relay listens on if none are given. */
const LISTEN = ['/ip4/0.0.0.0/tcp/4001', '/ip4/0.0.0.0/tcp/4002/ws', '/ip6/::/tcp/4001'] as const

/** How often to check for something new to report, milliseconds. */
const STATUS_MS = 2_000

/** `loam relay`: carries connections between members that can only dial out. */
export function relayCommand(): Command {
  return new Command('relay')
    .requiredOption('--home <folder>', "the relay's home folder, with its own identity")
    .option('--charter <file>', "the consortium's charter, whose members are carried; needed the first time")
    .option('--allow <peerid...>', 'PeerIds to carry in addition to, or without, a charter', [])
    .addOption(
      new Option('--listen <address...>', 'addresses to listen on').default([...LISTEN], LISTEN.join(', '))
    )
    .option('--announce <address...>', 'external addresses to announce in addition to those listened on', [])
    .option('--upnp', 'ask the router to forward the port', false)
    .option(
      '--reservations <n>',
      'maximum number of members reachable through it at a time',
      integer('--reservations', 1, 4096),
      256
    )
    .option(
      '--connection-megabytes <x>',
      'close a carried connection after this much traffic (default: never)',
      positiveNumber('--connection-megabytes')
    )
    .option(
      '--connection-minutes <x>',
      'close a carried connection after this time (default: never)',
      positiveNumber('--connection-minutes')
    )
    .addOption(
      new Option('--log-level <level>', 'lowest level in HOME/daemon.log').choices(LOG_LEVELS).default('info')
    )
    .option('--verbose', 'write the log to standard error too')
    .option('--json', 'print one JSON object when the relay stops: { "peerId", "addresses", "most" }')
    .addHelpText(
      'after',
      `
To carry peers that join later, add their PeerIds to HOME/allowed, one per line;
the file is read again when it changes. Peers that are removed from it are
disconnected.

Run it on a machine that all members can dial. The traffic it carries is
encrypted end to end. Members set it with --relay ADDRESS or in peer.json, and
then need no other bootstrap address. Stop it with Ctrl-C or SIGTERM.

Examples:
  $ loam relay --home ~/.loam-relay --charter charter.cbor
  $ echo 12D3KooW... >> ~/.loam-relay/allowed
  $ loam relay --home ~/.loam-relay --listen /ip4/0.0.0.0/tcp/4001 \\
      --announce /dns4/relay.example.org/tcp/4001
  $ loam peer --home ~/.loam \\
      --relay /dns4/relay.example.org/tcp/4001/p2p/12D3KooW...`
    )
    .action(runRelay)
}

async function runRelay(flags: RelayFlags): Promise<void> {
  const stopped = stopSignal()
  const { relay, log } = await openRelay(flags)
  // Without --json the status is the result, and goes to standard output.
  const say = flags.json === true ? printProgress : (line: string) => printText(`${line}\n`)
  const addresses = relay.addresses()
  if (process.send !== undefined && process.connected)
    process.send(
      { type: 'listening', peerId: relay.peerId, addresses },
      undefined,
      undefined,
      () => undefined
    )
  say(`${relay.peerId} relays at\n${addresses.map((address) => `  ${address}`).join('\n')}`)
  const load = watchLoad(relay, say, log)
  await stopped
  const most = load.end()
  await relay.stop()
  printResult({ peerId: relay.peerId, addresses, most }, flags, () => 'stopped')
  process.exit(EXIT.done)
}

/** Checks the flags, and starts the relay in its home. */
async function openRelay(flags: RelayFlags) {
  const { createHomeFolders } = await import('../../node/home/home.ts')
  const { adoptCharter } = await import('../../node/home/charter-file.ts')
  const { createLogs, ROTATION_DEFAULTS } = await import('../../node/log/logs.ts')
  const { letHeapGrow } = await import('../../node/upkeep/heap-growth.ts')
  const { addressFault } = await import('../../node/config/transports.ts')
  const { startRelay } = await import('../../node/relay/relay.ts')
  letHeapGrow()
  for (const [flag, addresses] of Object.entries({ listen: flags.listen, announce: flags.announce }))
    for (const address of addresses) {
      const fault = addressFault(address)
      if (fault !== undefined) throw new UsageError(`--${flag} ${fault}`)
    }
  const home = homeAt(flags.home)
  await createHomeFolders(home)
  if (flags.charter !== undefined) await adoptCharter(home, flags.charter)
  const log = createLogs({
    path: home.log,
    levels: { level: flags.logLevel, topics: new Map() },
    toStandardError: flags.verbose === true,
    ...ROTATION_DEFAULTS
  }).of('network')
  surviveStrayErrors(log)
  const { connectionMegabytes, connectionMinutes } = flags
  const relay = await startRelay({
    home,
    listen: flags.listen,
    announce: flags.announce,
    upnp: flags.upnp,
    allow: flags.allow,
    limits: {
      reservations: flags.reservations,
      bytesPerConnection:
        connectionMegabytes === undefined ? undefined : Math.ceil(connectionMegabytes * 1_000_000),
      millisecondsPerConnection:
        connectionMinutes === undefined ? undefined : Math.ceil(connectionMinutes * 60_000)
    },
    log
  })
  return { relay, log }
}

/** Says and logs the load of a relay when it changes; `end` returns the highest counts. */
function watchLoad(relay: Relay, say: (line: string) => void, log: Log) {
  const most = { connected: 0, reserved: 0, carried: 0 }
  let said = ''
  const look = () => {
    const load = relay.load()
    for (const key of ['connected', 'reserved', 'carried'] as const)
      most[key] = Math.max(most[key], load[key])
    const line = `${load.connected} member(s) connected, ${load.reserved} reachable through this relay, ${load.carried} connection(s) carried`
    if (line === said) return
    said = line
    say(line)
    log.info({ ...load }, 'load')
  }
  look()
  const looking = setInterval(look, STATUS_MS)
  return {
    end() {
      clearInterval(looking)
      return most
    }
  }
}
