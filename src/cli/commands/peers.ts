import { Command } from 'commander'
import type { PeerView } from '../../node/control/index.ts'
import { askingDaemon, type ControlFlags, daemonOf } from '../options/control-command.ts'
import { printResult } from '../terminal/output.ts'
import { shortPeerId, table } from '../terminal/table.ts'

interface PeersFlags extends ControlFlags {
  long?: boolean
}

/** `loam peers`: the members as a running peer sees them. */
export function peersCommand(): Command {
  return askingDaemon(new Command('peers'))
    .option('--long', 'show whole PeerIds, and addresses')
    .addHelpText(
      'after',
      `
Columns:
  link   who dialled (in, out), or relay for a relayed connection
  ms     round-trip time of the last handshakes
  said   time since the last handshake
  score  gossip score; below 0 for peers that misbehave
  round  round that the member last reported
  cut    the member's rank in the last sealed round; - if it had no part in it

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

/** Members, then others, in at most 80 columns unless `long` is set. */
export function peersText(peers: readonly PeerView[], long = false): string {
  const state = ({ self, connected, direction, way }: PeerView) => {
    if (self) return 'itself'
    if (!connected) return 'away'
    return way === 'relay' ? 'relay' : direction === 'inbound' ? 'in' : 'out'
  }
  return table<PeerView>(
    [
      { title: 'member', of: ({ member }) => (member === null ? '-' : String(member)), align: 'right' },
      { title: 'peer', of: ({ peerId }) => (long ? peerId : shortPeerId(peerId)) },
      { title: 'link', of: state },
      {
        title: 'ms',
        of: ({ roundTripMs }) => (roundTripMs === null ? '-' : String(roundTripMs)),
        align: 'right'
      },
      { title: 'said', of: ({ handshakeSeconds }) => handshakeText(handshakeSeconds), align: 'right' },
      { title: 'score', of: ({ score }) => (score === null ? '-' : scoreText(score)), align: 'right' },
      { title: 'round', of: ({ round }) => (round === null ? '-' : String(round)), align: 'right' },
      { title: 'cut', of: ({ lastCut }) => (lastCut === null ? '-' : `r ${lastCut.rank}`) },
      ...(long
        ? [{ title: 'address', of: ({ address }: PeerView) => address?.replace(/\/p2p\/[^/]*$/, '') ?? '-' }]
        : [])
    ],
    peers
  )
}

function handshakeText(seconds: number | null): string {
  if (seconds === null) return '-'
  return seconds < 100 ? `${seconds} s` : `${Math.round(seconds / 60)} min`
}

/** Relays take no part in gossip, so their score means nothing. */
function scoreText(score: number): string {
  return score <= -1_000 ? 'none' : score.toFixed(1)
}
