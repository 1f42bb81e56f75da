import { Command } from 'commander'
import type { PeerView } from '../../node/control/index.ts'
import { askingDaemon, type ControlFlags, daemonOf } from '../control-command.ts'
import { printResult } from '../output.ts'
import { shortPeerId, table } from '../table.ts'

interface PeersFlags extends ControlFlags {
  long?: boolean
}

/** `loam peers`: the members as a running peer sees them. */
export function peersCommand(): Command {
  return askingDaemon(new Command('peers'))
    .description('list the members and other connected peers, as a running peer sees them')
    .option('--long', 'whole PeerIds')
    .addHelpText(
      'after',
      `
"round" is what that member last said; "cut" its rank in the last sealed round, "-" where it had no part.

Examples:
  $ loam peers --home ~/.loam
  $ loam peers --home ~/.loam --json`
    )
    .action(runPeers)
}

async function runPeers(flags: PeersFlags): Promise<void> {
  const daemon = await daemonOf(flags)
  const result = await daemon.get<{ peers: PeerView[] }>('/v1/peers')
  printResult(result, flags, () => peersText(result.peers, flags.long === true))
}

/** Members, then others, in at most 80 columns where the addresses are usual ones. */
export function peersText(peers: readonly PeerView[], long = false): string {
  const state = ({ self, connected, direction }: PeerView) =>
    self ? 'itself' : connected ? (direction === 'inbound' ? 'in' : 'out') : 'away'
  return table<PeerView>(
    [
      { title: 'member', of: ({ member }) => (member === null ? '-' : String(member)), align: 'right' },
      { title: 'peer', of: ({ peerId }) => (long ? peerId : shortPeerId(peerId)) },
      { title: 'link', of: state },
      { title: 'round', of: ({ round }) => (round === null ? '-' : String(round)), align: 'right' },
      { title: 'cut', of: ({ lastCut }) => (lastCut === null ? '-' : `r ${lastCut.rank}`) },
      { title: 'address', of: ({ address }) => address?.replace(/\/p2p\/[^/]*$/, '') ?? '-' }
    ],
    peers
  )
}
