import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { Command } from 'commander'
import { homeAt } from '../../node/home/home.ts'
import { integer } from '../options/parsers.ts'
import { printResult } from '../terminal/output.ts'

interface HomeOptions {
  home: string
  json?: boolean
}

/** `loam members`: who is in, who comes and who goes. */
export function membersCommand(): Command {
  return new Command('members')
    .description('list the members, ask to join, admit, leave or evict')
    .addCommand(listCommand())
    .addCommand(requestCommand())
    .addCommand(admitCommand())
    .addCommand(leaveCommand())
    .addCommand(evictCommand())
    .addHelpText(
      'after',
      `
Examples:
  $ loam members list --home ~/.loam --json > standing.json     a member, for the candidate
  $ loam members request --home NEW --standing standing.json --out request.json   the candidate
  $ loam members admit --home ~/.loam request.json              a quorum of members, each in its home
  $ loam members leave --home ~/.loam
  $ loam members evict --home ~/.loam 12D3KooW...               a quorum of members

A running daemon takes the request up within seconds and supports it in every round, until it is in
effect or too old.`
    )
}

const homeOption = ['--home <folder>', 'home folder of a peer'] as const

async function open(path: string) {
  const { readCharter } = await import('../../node/home/charter-file.ts')
  const { openRoundStore } = await import('../../node/storage/round-store.ts')
  const { loadIdentity } = await import('../../node/home/identity.ts')
  const home = homeAt(path)
  const charter = await readCharter(home.charter)
  const { head } = await openRoundStore(home, charter)
  const identity = await loadIdentity(home.identity)
  if (identity === undefined)
    throw new Error(`there is no identity in ${home.folder}: loam identity makes one`)
  return { home, charter, head, identity }
}

function listCommand(): Command {
  return new Command('list')
    .description('who is a member after the last sealed round of a home')
    .requiredOption(...homeOption)
    .option('--json', 'print one JSON object')
    .action(async ({ home: path, ...options }: HomeOptions) => {
      const { standingOf } = await import('../../node/membership/request-files.ts')
      const { peerIdText } = await import('../../node/storage/round-summary.ts')
      const { head } = await open(path)
      const summary = { ...standingOf(head), members: head.members.map(({ peer }) => peerIdText(peer)) }
      printResult(summary, options, () =>
        [
          `round    ${summary.round} is next`,
          `seal     ${summary.seal}`,
          `model    ${summary.model}`,
          ...summary.members.map((member) => `member   ${member}`)
        ].join('\n')
      )
    })
}

interface RequestOptions extends HomeOptions {
  standing: string
  rounds?: number
  out: string
}

function requestCommand(): Command {
  return new Command('request')
    .description('draw up and sign a request to join; a quorum of members has to admit it')
    .requiredOption(...homeOption)
    .requiredOption('--standing <file>', 'what a member printed with loam members list --json')
    .option('--rounds <n>', 'rounds in which it may take effect', integer('--rounds', 1))
    .requiredOption('--out <file>', 'where the request goes, for the members')
    .option('--json', 'print one JSON object')
    .action(request)
}

async function request({ home: path, standing, rounds, out, ...options }: RequestOptions): Promise<void> {
  const { readCharter } = await import('../../node/home/charter-file.ts')
  const { consortiumCid } = await import('../../protocol/index.ts')
  const { loadOrCreateIdentity } = await import('../../node/home/identity.ts')
  const files = await import('../../node/membership/request-files.ts')
  const { writeFileAtomic } = await import('../../node/storage/index.ts')
  if (existsSync(out)) throw new Error(`${out} is there already: choose another name with --out`)
  const home = homeAt(path)
  const { id } = await readCharter(home.charter)
  const known = await readStanding(standing)
  if (known.consortium !== consortiumCid(id))
    throw new Error(`${standing} is of another consortium than the charter in ${home.folder}`)
  const identity = await loadOrCreateIdentity(home.identity)
  const { anchor } = identity.revealChain
  const wanted = { type: 'join', peerId: identity.peerId, anchor } as const
  const signedRequest = files.drawUpRequest(wanted, known, id, identity.signer, rounds)
  const bytes = new TextEncoder().encode(files.encodeRequest(signedRequest, id))
  await writeFileAtomic(home.joinRequest, bytes)
  await writeFileAtomic(out, bytes)
  const summary = { path: out, peerId: identity.peerId, expiry: signedRequest.request.expiry }
  printResult(
    summary,
    options,
    () => `request  ${out}\npeer id  ${summary.peerId}\nexpires  after round ${summary.expiry}`
  )
}

async function readStanding(path: string) {
  const { standingSchema } = await import('../../node/membership/request-files.ts')
  try {
    const { members: _members, ...standing } = JSON.parse(await readFile(path, 'utf8'))
    return standingSchema.parse(standing)
  } catch (error) {
    throw new Error(`${path} is not what loam members list --json prints`, { cause: error })
  }
}

function admitCommand(): Command {
  return new Command('admit')
    .description('support a request to join, in the name of this member')
    .argument('<request>', 'file that the candidate made with loam members request')
    .requiredOption(...homeOption)
    .option('--json', 'print one JSON object')
    .action(async (file: string, { home: path, ...options }: HomeOptions) => {
      const { decodeRequest } = await import('../../node/membership/request-files.ts')
      const opened = await open(path)
      if (!existsSync(file)) throw new Error(`there is no request ${file}`)
      await support(opened, decodeRequest(await readFile(file, 'utf8'), opened.charter.id, file), options)
    })
}

function leaveCommand(): Command {
  return new Command('leave')
    .description('leave the consortium with the next sealed round')
    .requiredOption(...homeOption)
    .option('--json', 'print one JSON object')
    .action(async ({ home, ...options }: HomeOptions) => {
      const { drawUpRequest, standingOf } = await import('../../node/membership/request-files.ts')
      const opened = await open(home)
      const { charter, head, identity } = opened
      const wanted = { type: 'leave', peerId: identity.peerId } as const
      await support(opened, drawUpRequest(wanted, standingOf(head), charter.id, identity.signer), options)
    })
}

function evictCommand(): Command {
  return new Command('evict')
    .description('ask for the eviction of an absent member; takes effect when a quorum asks for the same')
    .argument('<peer>', 'PeerId of the member')
    .requiredOption(...homeOption)
    .requiredOption(
      '--standing <file>',
      'what one member printed with loam members list --json, the same for all'
    )
    .option('--json', 'print one JSON object')
    .action(async (peerId: string, { home, standing, ...options }: HomeOptions & { standing: string }) => {
      const { drawUpRequest } = await import('../../node/membership/request-files.ts')
      const opened = await open(home)
      const known = await readStanding(standing)
      const wanted = { type: 'evict', peerId } as const
      await support(opened, drawUpRequest(wanted, known, opened.charter.id, opened.identity.signer), options)
    })
}

async function support(
  { home, head }: Awaited<ReturnType<typeof open>>,
  signedRequest: import('../../protocol/index.ts').SignedRequest,
  options: { json?: boolean }
): Promise<void> {
  const { saveRequest } = await import('../../node/membership/request-files.ts')
  const { peerIdText } = await import('../../node/storage/round-summary.ts')
  const path = await saveRequest(home, head, signedRequest)
  const { type, peer, expiry } = signedRequest.request
  const summary = { path, type, peerId: peerIdText(peer), expiry }
  printResult(
    summary,
    options,
    () =>
      `${type.padEnd(8)} ${summary.peerId}\nfile     ${path}\nexpires  after round ${expiry}; a running daemon asks for it in every round until then`
  )
}
