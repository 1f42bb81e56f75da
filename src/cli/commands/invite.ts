import { existsSync } from 'node:fs'
import { Command } from 'commander'
import { homeAt } from '../../node/home/home.ts'
import { integer } from '../options/parsers.ts'
import { printResult } from '../terminal/output.ts'

interface InviteOptions {
  home: string
  address?: string[]
  days: number
  out?: string
  json?: boolean
}

const DAY_MS = 86_400_000
const INVITE_DAYS = 7

/** `loam invite`: all that a candidate needs, in one file or text. */
export function inviteCommand(): Command {
  return new Command('invite')
    .requiredOption('--home <folder>', "a member's home folder")
    .option(
      '--address <address...>',
      'addresses of this peer, each ending in /p2p/PEERID (default: where it last listened, and known addresses of other members)'
    )
    .option('--days <n>', 'number of days for which it is valid', integer('--days', 1, 3650), INVITE_DAYS)
    .option('--out <file>', 'invite file to write (default: print it as text)')
    .option('--json', 'print one JSON object')
    .addHelpText(
      'after',
      `
An invite admits nobody by itself: it gives a candidate the charter, a seal to
trust and addresses to dial. loam join turns it into a request that a quorum of
members has to admit. It contains no secret, and changes to it are detected.

Examples:
  $ loam invite --home ~/.loam --out weather.invite
  $ loam invite --home ~/.loam --days 2 \\
      --address /dns4/lab.example/tcp/4001/p2p/12D3KooW...`
    )
    .action(invite)
}

async function invite({ home: path, address, days, out, ...options }: InviteOptions): Promise<void> {
  const { readCharter } = await import('../../node/home/charter-file.ts')
  const { openRoundStore } = await import('../../node/home/round-store.ts')
  const { loadIdentity } = await import('../../node/home/identity.ts')
  const { inviteAddresses, inviteToken } = await import('../../node/membership/invite-files.ts')
  const { consortiumCid, encodeInvite, hex, memberIndex } = await import('../../protocol/index.ts')
  const { writeFileAtomic } = await import('../../node/storage/index.ts')
  const { readFile } = await import('node:fs/promises')
  if (out !== undefined && existsSync(out))
    throw new Error(`${out} exists already: choose another name with --out`)
  const home = homeAt(path)
  const charter = await readCharter(home.charter)
  const { head } = await openRoundStore(home, charter)
  const identity = await loadIdentity(home.identity)
  if (identity === undefined || memberIndex(head, identity.signer.peer) < 0)
    throw new Error(
      `the peer of ${home.folder} is not a member as of round ${head.round}: only a member can invite`
    )
  const bootstrap = await inviteAddresses(home, identity.peerId, address)
  const terms = {
    charter: await readFile(home.charter),
    round: head.round - 1,
    seal: head.parent,
    model: head.modelDigest,
    bootstrap,
    expires: Math.ceil((Date.now() + days * DAY_MS) / 1000)
  }
  const bytes = encodeInvite(terms, identity.signer)
  const token = inviteToken(bytes)
  if (out !== undefined) await writeFileAtomic(out, bytes)
  const summary = {
    path: out ?? null,
    token: out === undefined ? token : null,
    consortium: consortiumCid(charter.id),
    inviter: identity.peerId,
    round: terms.round,
    seal: hex(terms.seal),
    expires: new Date(terms.expires * 1000).toISOString(),
    bootstrap
  }
  printResult(summary, options, () =>
    out === undefined
      ? token
      : [
          `invite   ${out}`,
          `to       ${summary.consortium} (${charter.charter.name})`,
          `trusts   seal ${summary.seal} of round ${summary.round}`,
          `reaches  ${bootstrap.join('\n         ')}`,
          `expires  ${summary.expires}`
        ].join('\n')
  )
}
