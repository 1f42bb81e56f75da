import { stat } from 'node:fs/promises'
import { consortiumCid } from '../../protocol/index.ts'
import { type CopyView, copyViews } from '../diagnosis/network-view.ts'
import { type SealedLosses, sealedLosses } from '../home/evaluation-file.ts'
import { type Home, roundFiles } from '../home/home.ts'
import type { CutEntry, PhaseTimes, ProgressReport, RoundSummary } from '../home/peer-report.ts'
import { isRelayed } from '../network/peers/peer-address.ts'
import { peerIdText } from '../storage/peer-id-text.ts'
import type { ControlComponents } from './components.ts'

/** Whether a peer is ready, and why not. */
export interface Readiness {
  readonly ready: boolean
  /** What is missing; empty when it is ready. */
  readonly reasons: readonly string[]
}

/** What `loam status` shows. */
export interface StatusView extends Readiness, Omit<ProgressReport, 'type' | 'connected'> {
  readonly version: string
  readonly node: string
  readonly pid: number
  readonly home: string
  readonly peerId: string
  readonly addresses: readonly string[]
  readonly consortium: { readonly id: string; readonly name: string }
  /** Index among the members of the round; null for an observer. */
  readonly member: number | null
  readonly members: number
  readonly quorum: number
  /** Connected members, not counting the peer itself. */
  readonly connectedMembers: number
  readonly uptimeSeconds: number
  readonly lastSealed: RoundSummary | null
  readonly halted: string | null
  /** Identities of which two copies were found running in the last ten minutes, the own one or others'. */
  readonly copies: readonly CopyView[]
  readonly memoryBytes: number
}

/** What `loam peers` shows of a peer. */
export interface PeerView {
  readonly peerId: string
  /** Index among the members of the round; null for a connected non-member, such as a relay. */
  readonly member: number | null
  readonly self: boolean
  readonly connected: boolean
  readonly direction: 'inbound' | 'outbound' | null
  readonly address: string | null
  /** Whether the connection is direct or relayed; null without a connection. */
  readonly way: 'direct' | 'relay' | null
  /** Round-trip time of the last handshakes, milliseconds; null before the first. */
  readonly roundTripMs: number | null
  /** Seconds since the last handshake; a connected peer is asked every minute. */
  readonly handshakeSeconds: number | null
  /** Its software, in its own words: `loam/0.1.0`. */
  readonly software: string | null
  /** Gossipsub score; null if it is not connected. */
  readonly score: number | null
  /** The round that it last reported; null if it never did. */
  readonly round: number | null
  readonly trainer: boolean
  readonly voter: boolean
  /** Its part in the last sealed cut; null if it had none. */
  readonly lastCut: CutEntry | null
}

/** What `loam rounds` shows of a sealed round. */
export interface RoundView extends RoundSummary {
  /** When this peer stored the seal, ISO 8601; null if unknown. */
  readonly sealedAt: string | null
  /** This peer's share of the stack, 0 to 1; null if it had no part in the cut. */
  readonly weight: number | null
  /** Milliseconds; null for a round that was sealed before the daemon started. */
  readonly ms: PhaseTimes | null
  /** Payload bytes that came in during the round. */
  readonly bytesReceived: number | null
  /** Losses on this peer's held-out text. */
  readonly heldOut: SealedLosses
}

/** Ready: in a round, connected to a quorum, and not behind. */
export function readiness(components: ControlComponents): Readiness {
  const { driver, heads, lastRound } = components
  const { context, halted, self, heldBack, silentThrough } = driver.state
  const reasons: string[] = []
  const reachable = connectedMembers(components) + (self >= 0 ? 1 : 0)
  const ahead = heads.ahead(context)
  if (halted !== undefined) reasons.push(`halted: ${halted}`)
  if (self < 0) reasons.push('this peer is not a member of the round')
  if (heldBack) reasons.push('it signs nothing until members have told that no other copy of it is running')
  if (context.round <= silentThrough)
    reasons.push('it signs nothing: it does not know what was signed with its key before')
  if (lastRound !== undefined && context.round > lastRound)
    reasons.push(`it only serves blocks: its settings end training after round ${lastRound}`)
  if (reachable < context.quorum)
    reasons.push(
      `${reachable} of ${context.members.length} members connected, itself included; the quorum is ${context.quorum}`
    )
  if (ahead > context.round) reasons.push(`it is catching up: round ${context.round} of ${ahead}`)
  return { ready: reasons.length === 0, reasons }
}

export function statusView(components: ControlComponents): StatusView {
  const { host, charter, driver, rounds, observer, version, home } = components
  const { context, self, halted, phase, view } = driver.state
  const progress = observer.progress
  // Reports of an earlier round do not apply to this one.
  const current = progress?.round === context.round ? progress : undefined
  return {
    version,
    node: process.version,
    pid: process.pid,
    home: home.folder,
    peerId: host.peerId.toString(),
    addresses: host.multiaddrs(),
    consortium: { id: consortiumCid(charter.id), name: charter.charter.name },
    member: self < 0 ? null : self,
    members: context.members.length,
    quorum: context.quorum,
    connectedMembers: connectedMembers(components),
    uptimeSeconds: Math.round(process.uptime()),
    ...readiness(components),
    // The state is a round ahead while its seal is being written; the store's two always fit together.
    round: rounds.head.round,
    phase: halted !== undefined ? 'halted' : (current?.phase ?? phase),
    view,
    step: current?.step ?? 0,
    steps: current?.steps ?? 0,
    loss: current?.loss ?? null,
    shardsHeld: current?.shardsHeld ?? 0,
    shardsKnown: current?.shardsKnown ?? 0,
    lastSealed: rounds.summaries.at(-1) ?? null,
    halted: halted ?? null,
    copies: copyViews(components.handshakes),
    memoryBytes: process.memoryUsage.rss()
  }
}

export function peerViews(components: ControlComponents): PeerView[] {
  const { host, handshakes, driver, heads, rounds } = components
  const { context, self } = driver.state
  const cut = rounds.summaries.at(-1)?.cut ?? []
  const members = context.members.map(({ peer }) => peerIdText(peer))
  const others = [...host.peers(), ...host.relays()].map(String).filter((peerId) => !members.includes(peerId))
  const viewOf = (peerId: string, member: number | null): PeerView => {
    const open = connectionsTo(components, peerId)
    const connection = open.find(({ remoteAddr }) => !isRelayed(remoteAddr)) ?? open[0]
    const handshake = handshakes.handshakes().get(peerId)
    return {
      peerId,
      member,
      self: member === self,
      connected: connection !== undefined,
      direction: connection?.direction ?? null,
      address: connection?.remoteAddr.toString() ?? null,
      way: connection === undefined ? null : isRelayed(connection.remoteAddr) ? 'relay' : 'direct',
      roundTripMs: handshake?.roundTripMs ?? null,
      handshakeSeconds:
        handshake === undefined ? null : Math.max(0, Math.round((Date.now() - handshake.at) / 1_000)),
      software: handshake?.software ?? null,
      score: connection === undefined ? null : host.gossipScore(peerId),
      round:
        member === null
          ? null
          : member === self
            ? context.round
            : (heads.of(context.members[member]!.peer) ?? null),
      trainer: member !== null && context.trainers.includes(member),
      voter: member !== null && context.voters.includes(member),
      lastCut: cut.find((entry) => entry.peerId === peerId) ?? null
    }
  }
  return [
    ...members.map((peerId, index) => viewOf(peerId, index)),
    ...others.map((peerId) => viewOf(peerId, null))
  ]
}

/** The last `limit` sealed rounds before `before`, newest first. */
export async function roundViews(
  { rounds, observer, home, host }: Pick<ControlComponents, 'rounds' | 'observer' | 'home' | 'host'>,
  limit: number,
  before = Number.POSITIVE_INFINITY
): Promise<RoundView[]> {
  const wanted = rounds.summaries
    .filter(({ round }) => round < before)
    .slice(-limit)
    .reverse()
  return Promise.all(
    wanted.map(async (summary) => {
      const report = observer.sealed(summary.round)
      const stored = await storedView(home, summary, String(host.peerId))
      return { ...stored, ms: report?.ms ?? null, bytesReceived: report?.bytesReceived ?? null }
    })
  )
}

/** What a home's files say of a sealed round. */
export async function storedView(
  home: Home,
  summary: RoundSummary,
  self: string | undefined
): Promise<Omit<RoundView, 'ms' | 'bytesReceived'>> {
  const { round, cut } = summary
  const found = await stat(roundFiles(home, round).sealed).catch(() => undefined)
  return {
    ...summary,
    sealedAt: found?.mtime.toISOString() ?? null,
    weight: cut.find(({ peerId }) => peerId === self)?.weight ?? null,
    heldOut: await sealedLosses(home, round)
  }
}

function connectedMembers(components: ControlComponents): number {
  const { context, self } = components.driver.state
  const connected = new Set(components.host.peers().map(String))
  return context.members.filter(({ peer }, index) => index !== self && connected.has(peerIdText(peer))).length
}

function connectionsTo({ host }: ControlComponents, peerId: string) {
  return host.libp2p.getConnections().filter(({ remotePeer }) => remotePeer.toString() === peerId)
}
