import Table from 'cli-table3'
import type { PhaseTimes } from '../../src/node/home/peer-report.ts'
import type { DomainLoss } from './evaluate-losses.ts'
import { PLAIN_BORDERS } from './live-table.ts'
import type { PeerView } from './network-run.ts'

/** The outcome of a testnet, as printed by `--json`. */
export interface TestnetReport {
  readonly peers: readonly {
    readonly peerId: string
    readonly rank: number
    readonly domain: string
    readonly home: string
    readonly stackDigests: readonly (string | null)[]
    readonly modelDigests: readonly string[]
  }[]
  readonly rounds: readonly {
    readonly round: number
    readonly cut: readonly { readonly peerId: string; readonly rank: number; readonly samples: number }[]
    readonly stackDigest: string | null
    readonly modelDigest: string
    /** Mean over the peers, milliseconds. */
    readonly ms: PhaseTimes
    /** Payload bytes that each peer received, in the order of `peers`. */
    readonly bytesReceived: readonly number[]
  }[]
  /** Nats per token on held-out text, by domain. */
  readonly loss: Readonly<Record<string, DomainLoss>>
  readonly adapter: string
}

/** Most peers whose adapters get a column each. */
const COLUMNS_MAX = 5

/** The part of the report that comes from the network itself. */
export function reportRounds(views: readonly PeerView[]): Pick<TestnetReport, 'peers' | 'rounds'> {
  const peers = views.map(({ peer, sealed }) => ({
    peerId: peer.peerId,
    rank: peer.rank,
    domain: peer.domain,
    home: peer.home.folder,
    stackDigests: sealed.map(({ stackDigest }) => stackDigest),
    modelDigests: sealed.map(({ modelDigest }) => modelDigest)
  }))
  const rounds = views[0]!.sealed.map((first, index) => {
    const all = views.map(({ sealed }) => sealed[index]!)
    const mean = (phase: keyof PhaseTimes) =>
      Math.round(all.reduce((sum, { ms }) => sum + ms[phase], 0) / all.length)
    const { round, cut, stackDigest, modelDigest } = first
    const ms = {
      train: mean('train'),
      gather: mean('gather'),
      decide: mean('decide'),
      stack: mean('stack'),
      seal: mean('seal')
    }
    return {
      round,
      cut,
      stackDigest,
      modelDigest,
      ms,
      bytesReceived: all.map(({ bytesReceived }) => bytesReceived)
    }
  })
  return { peers, rounds }
}

/** Whether every peer sealed the same rounds with the same digests. */
export function hasAgreed(
  { peers, rounds }: Pick<TestnetReport, 'peers' | 'rounds'>,
  expectedRounds: number
): boolean {
  return (
    rounds.length === expectedRounds &&
    peers.every(
      ({ stackDigests, modelDigests }) =>
        `${stackDigests}` === `${rounds.map(({ stackDigest }) => stackDigest)}` &&
        `${modelDigests}` === `${rounds.map(({ modelDigest }) => modelDigest)}`
    )
  )
}

/** The report as text: digests, rounds, losses; at most 80 columns wide for up to five peers. */
export function renderReport(report: TestnetReport): string {
  return [
    'Digests of stack and model, by peer and round',
    digestTable(report),
    '',
    'Rounds: mean seconds per phase, payload kB received per peer',
    roundTable(report),
    '',
    'Held-out loss, nats per token (lower is better; "alone 1" is peer 1 by itself)',
    lossTable(report),
    '',
    `adapter  ${report.adapter}`
  ].join('\n')
}

function plainTable(head: string[], leftColumns = 1) {
  return new Table({
    head,
    colAligns: head.map((_, index) => (index < leftColumns ? 'left' : 'right')),
    style: { head: [], border: [], compact: true, 'padding-left': 0, 'padding-right': 2 },
    chars: PLAIN_BORDERS
  })
}

function digestTable({ peers }: TestnetReport): string {
  const table = plainTable(['peer', 'round', 'stack', 'model'], 4)
  for (const [index, { stackDigests, modelDigests }] of peers.entries()) {
    for (const [round, digest] of modelDigests.entries()) {
      table.push([
        String(index),
        String(round + 1),
        stackDigests[round]?.slice(0, 24) ?? 'void',
        digest.slice(0, 24)
      ])
    }
  }
  return table.toString()
}

function roundTable({ rounds }: TestnetReport): string {
  const table = plainTable(['round', 'members', 'train', 'gather', 'decide', 'stack', 'seal', 'received'])
  for (const { round, cut, ms, bytesReceived } of rounds) {
    const seconds = (['train', 'gather', 'decide', 'stack', 'seal'] as const).map((phase) =>
      (ms[phase] / 1000).toFixed(2)
    )
    const kilobytes = bytesReceived.reduce((sum, bytes) => sum + bytes, 0) / bytesReceived.length / 1000
    table.push([String(round), String(cut.length), ...seconds, kilobytes.toFixed(0)])
  }
  return table.toString()
}

/**
 * Losses by domain, and their mean; with many peers, one column for the peer's own adapter and one for the best
 * adapter.
 */
function lossTable({ peers, loss }: TestnetReport): string {
  const all = peers.length <= COLUMNS_MAX
  const alone = all ? peers.map((_, index) => `alone ${index}`) : ['own alone', 'best alone']
  const table = plainTable(['domain', 'base', ...alone, 'global'])
  const rows = peers.map(({ peerId, domain }) => {
    const { base, standalone, global } = loss[domain]!
    const each = peers.map((peer) => standalone[peer.peerId]!)
    return { domain, values: [base, ...(all ? each : [standalone[peerId]!, Math.min(...each)]), global] }
  })
  for (const { domain, values } of rows) table.push([domain, ...values.map((value) => value.toFixed(4))])
  const means = rows[0]!.values.map(
    (_, column) => rows.reduce((sum, { values }) => sum + values[column]!, 0) / rows.length
  )
  table.push(['mean', ...means.map((value) => value.toFixed(4))])
  return table.toString()
}
