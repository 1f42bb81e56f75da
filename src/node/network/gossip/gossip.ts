import '../core/promise-polyfill.ts'
import { createHash } from 'node:crypto'
import { type GossipSub, type GossipSubComponents, gossipsub, TopicValidatorResult } from '@libp2p/gossipsub'
import type { MetricsRegister } from '@libp2p/gossipsub/metrics'
import { createTopicScoreParams, type PeerScoreParams } from '@libp2p/gossipsub/score'
import type { Connection, PeerId } from '@libp2p/interface'
import { peerIdFromString } from '@libp2p/peer-id'
import type { Log } from '../../log/log.ts'
import type { GossipVerdict } from '../core/network-host.ts'
import type { TrafficMeter } from '../core/traffic-meter.ts'
import type { PeerLimits } from '../limits/index.ts'
import { guardGossip } from './gossip-guard.ts'
import { INVALID_MESSAGES, SCORE_THRESHOLDS } from './score.ts'

/**
 * Maximum length of a message that is published or accepted; control messages stay below 64 KiB, the rest is envelope.
 */
export const GOSSIP_BYTES_MAX = 128 * 1024
/** Longest gossipsub frame: several messages may share one. */
export const GOSSIP_FRAME_BYTES_MAX = 1024 * 1024
/** Bytes that may be buffered for one slow peer before its stream is dropped. */
const OUTBOUND_BUFFER_BYTES_MAX = 8 * 1024 * 1024
/** Topics per peer: the only one, and those that gossipsub adds internally. */
const TOPIC_BYTES_MAX = 4096
/** With more members than this, flood publishing costs more than it saves. */
const FLOOD_PUBLISH_PEERS_MAX = 50

/** Gossip streams per peer; one is used, and connections overlap while one is renewed. */
const STREAMS_MAX = 8

/** Protocol prefix of gossipsub's streams. */
export const GOSSIP_PROTOCOL = '/meshsub/'

/** Callbacks of a topic's owner. */
export interface GossipHandlers {
  /**
   * Validates a message before it is delivered or forwarded; must be quick, because its delay counts in peers' scores.
   */
  readonly validateGossip: (bytes: Uint8Array, from: PeerId) => GossipVerdict | Promise<GossipVerdict>
  /** Called once for each accepted message from another peer. */
  readonly onGossip: (bytes: Uint8Array, from: PeerId) => void
  /** Trainers of a round, from which follows how many messages of one author a round can need; else 256. */
  readonly trainers?: () => number
  /** Told of messages that were dropped unread because their author sends more than that. */
  readonly onExcess?: (messages: number) => void
}

/** Most trainers of a round (rule 15). */
const TRAINERS_MAX = 256

/** Below every threshold of gossipsub: nothing is sent to such a peer or accepted from it. */
const NO_MEMBER_SCORE = -1_000_000

/**
 * The gossipsub service for one topic. @param isMember whether a connected peer takes part, rather than only relaying
 */
export function gossipService(
  topic: string,
  isMember: (peerId: PeerId) => boolean,
  metrics?: MetricsRegister
): (components: GossipSubComponents) => GossipSub {
  return gossipsub({
    globalSignaturePolicy: 'StrictSign',
    metricsRegister: metrics ?? null,
    metricsTopicStrToLabel: new Map([[topic, 'control']]),
    allowedTopics: [topic],
    fallbackToFloodsub: false,
    floodPublish: true,
    doPX: false,
    emitSelf: false,
    // A message without recipients must not count as published, or it would never be sent again.
    allowPublishToZeroTopicPeers: false,
    ignoreDuplicatePublishError: true,
    // Votes are small enough for a foreign relay, which cuts a connection after 128 KiB.
    runOnLimitedConnection: true,
    maxInboundDataLength: GOSSIP_FRAME_BYTES_MAX,
    maxOutboundBufferSize: OUTBOUND_BUFFER_BYTES_MAX,
    maxInboundStreams: STREAMS_MAX,
    // Other topics are not kept at all (allowedTopics); these bound what a frame may unpack to (CVE-2026-46679).
    maxTopicBytesPerPeer: TOPIC_BYTES_MAX,
    decodeRpcLimits: {
      maxSubscriptions: 16,
      maxMessages: 5000,
      maxIhaveMessageIDs: 5000,
      maxIwantMessageIDs: 5000,
      maxControlMessages: 64,
      maxIdontwantMessageIDs: 512,
      maxPeerInfos: 16
    },
    // The id depends on the content only: duplicates from any publisher are one message.
    msgIdFn: ({ data }) => createHash('sha256').update(data).digest(),
    // The same for raw messages: a duplicate is detected before its signature is checked.
    fastMsgIdFn: ({ data }) => (data === undefined ? '' : createHash('sha256').update(data).digest('base64')),
    msgIdToStrFn: (id) => Buffer.from(id).toString('base64'),
    scoreThresholds: SCORE_THRESHOLDS,
    scoreParams: scoreParams(topic, isMember)
  })
}

function scoreParams(topic: string, isMember: (peerId: PeerId) => boolean): Partial<PeerScoreParams> {
  return {
    // A graft too early, a promise of a message not kept.
    behaviourPenaltyWeight: -10,
    behaviourPenaltyThreshold: 0,
    behaviourPenaltyDecay: 0.2,
    // Scores survive reconnecting.
    retainScore: 3_600_000,
    // Members often share an address: one machine, one NAT. Admission is by identity.
    IPColocationFactorWeight: 0,
    appSpecificWeight: 1,
    appSpecificScore: (peer) => (isMember(peerIdFromString(peer)) ? 0 : NO_MEMBER_SCORE),
    topics: {
      [topic]: createTopicScoreParams({
        topicWeight: 1,
        invalidMessageDeliveriesWeight: INVALID_MESSAGES.weight,
        invalidMessageDeliveriesDecay: INVALID_MESSAGES.decay,
        // Rounds are long silences between bursts: silent peers are not penalised.
        meshMessageDeliveriesWeight: 0,
        meshFailurePenaltyWeight: 0,
        timeInMeshWeight: 0.01,
        timeInMeshQuantum: 1000,
        timeInMeshCap: 3600,
        firstMessageDeliveriesWeight: 0.1,
        firstMessageDeliveriesDecay: 0.9,
        firstMessageDeliveriesCap: 50
      })
    }
  }
}

const RESULTS: Readonly<Record<GossipVerdict, TopicValidatorResult>> = {
  accept: TopicValidatorResult.Accept,
  ignore: TopicValidatorResult.Ignore,
  reject: TopicValidatorResult.Reject
}

/** Subscribes to the topic, with the validator in place before the first message. */
export function subscribe(
  service: GossipSub,
  topic: string,
  handlers: GossipHandlers,
  traffic: TrafficMeter,
  limits: PeerLimits,
  isMember: (peerId: PeerId) => boolean,
  log: Log
): void {
  const { trainers = () => TRAINERS_MAX, onExcess = () => {} } = handlers
  guardGossip(service, { limits, isMember, trainers, onExcess, log })
  service.topicValidators.set(topic, async (peer, { data }) => {
    traffic.add('gossip', 'received', data.length)
    if (data.length > GOSSIP_BYTES_MAX) {
      limits.report(peer, 'malformed', 'a gossip message that is too long')
      return TopicValidatorResult.Reject
    }
    try {
      const verdict = await handlers.validateGossip(data, peer)
      if (verdict === 'reject') limits.report(peer, 'false', 'an invalid gossip message')
      return RESULTS[verdict]
    } catch (error) {
      log.error(
        { error: String(error), peer: peer.toString() },
        'the gossip validator failed; the message is ignored'
      )
      return TopicValidatorResult.Ignore
    }
  })
  service.addEventListener('gossipsub:message', ({ detail }) => {
    if (detail.msg.topic !== topic) return
    try {
      handlers.onGossip(detail.msg.data, detail.propagationSource)
    } catch (error) {
      log.error({ error: String(error) }, 'a gossiped message could not be handled')
    }
  })
  service.subscribe(topic)
}

/** Publishes; 0 recipients if nobody is subscribed. */
export async function publish(
  service: GossipSub,
  topic: string,
  bytes: Uint8Array,
  traffic: TrafficMeter
): Promise<number> {
  // In a large network the mesh is cheaper; the option is read at each publish.
  const floodPublish = service.getSubscribers(topic).length <= FLOOD_PUBLISH_PEERS_MAX
  try {
    const { recipients } = await publishWith(service, topic, bytes, floodPublish)
    traffic.add('gossip', 'sent', bytes.length * recipients.length)
    return recipients.length
  } catch (error) {
    if (error instanceof Error && error.message === 'PublishError.NoPeersSubscribedToTopic') return 0
    throw error
  }
}

/**
 * Makes gossipsub reopen its stream to a peer over an existing connection. By itself it only does so for new
 * connections: when a direct connection replaces a relayed one, the stream would be lost.
 */
export function reopenStream(service: GossipSub, connection: Connection): void {
  const { onPeerConnected } = service as unknown as Reopening
  onPeerConnected.call(service, connection.remotePeer, connection)
}

/** Gossipsub's handler of new connections, which its published interface omits. */
interface Reopening {
  readonly onPeerConnected: (peerId: PeerId, connection: Connection) => void
}

/** PeerIds in a topic's mesh. */
export function meshPeersOf(service: GossipSub, topic: string): string[] {
  const { getMeshPeers } = service as unknown as { getMeshPeers(topic: string): string[] }
  return getMeshPeers.call(service, topic)
}

/** Gossipsub's score of a peer. */
export function scoreOf(service: GossipSub, peerId: string): number {
  const { getScore } = service as unknown as { getScore(peerId: string): number }
  return getScore.call(service, peerId)
}

/** The implementation accepts per-call options that its published interface omits. */
type PublishWithOptions = (
  topic: string,
  data: Uint8Array,
  options: { floodPublish: boolean }
) => ReturnType<GossipSub['publish']>

function publishWith(service: GossipSub, topic: string, bytes: Uint8Array, floodPublish: boolean) {
  const publish: PublishWithOptions = service.publish.bind(service)
  return publish(topic, bytes, { floodPublish })
}
