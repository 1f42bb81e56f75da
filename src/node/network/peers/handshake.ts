import type { PeerId } from '@libp2p/interface'
import { z } from 'zod'
import { byteString, decodeCanonical, encodeCanonical, hex, textSchema } from '../../../protocol/index.ts'
import type { Log } from '../../log/log.ts'
import type { NetworkNode } from '../core/network-host.ts'
import { registerRequestHandler, request } from '../requests/request-response.ts'
import { isRelayed } from './peer-address.ts'

/**
 * The one protocol that stays the same in all versions: two nodes tell each other which version they speak and to which
 * consortium they belong, what their clocks show, and where they see each other. Unknown fields are passed over, so that
 * later versions may say more.
 */
export const HANDSHAKE_PROTOCOL = '/loam/handshake/1'

/** Version of everything else between peers: gossip topic, messages, sync, blocks. */
export const PROTOCOL_VERSION = 1

const FRAME_BYTES_MAX = 2048
const TIMEOUT_MS = 6_000
const LIMITS = {
  maxRequestBytes: FRAME_BYTES_MAX,
  maxResponseBytes: FRAME_BYTES_MAX,
  timeoutMs: TIMEOUT_MS,
  concurrency: 2,
  rate: { burst: 16, perSecond: 1 },
  openToRelays: true
}

const common = {
  protocol: z.number().int().min(0),
  software: textSchema(64),
  /** Id of the consortium; empty for a relay that was given a list in place of a charter. */
  charter: byteString(32).or(byteString(0)),
  /** Milliseconds since 1970. */
  clock: z.number().int().min(0)
}
/** What a node says first. */
export const handshakeSchema = z.looseObject(common)
const answerSchema = z.looseObject({ ...common, observed: textSchema(512) })

/** What a node says of itself. */
export interface OwnHandshake {
  readonly charter: Uint8Array | undefined
  /** Name and version: `loam/0.1.0`. */
  readonly software: string
  /** Another version than one's own, for tests. */
  readonly protocol?: number
}

/** What another node has said. */
export interface PeerHandshake {
  readonly protocol: number
  readonly software: string
  /** Hex; empty for a relay without a charter. */
  readonly charter: string
}

/** An answer, and what follows from it. */
export interface HandshakeAnswer extends PeerHandshake {
  /** How far the other clock is ahead, milliseconds; half a round trip is its uncertainty. */
  readonly clockAheadMs: number
  readonly roundTripMs: number
  /** Where the other side sees this node's connection come from. */
  readonly observed: string
}

/** How two nodes do not fit together, in plain words; undefined where they do. */
export function incompatibility(own: OwnHandshake, other: PeerHandshake): string | undefined {
  const protocol = own.protocol ?? PROTOCOL_VERSION
  if (other.protocol !== protocol) {
    const older = other.protocol < protocol ? 'it has to be updated' : 'this one has to be updated'
    return `it speaks version ${other.protocol} of the protocol (${other.software}), this one version ${protocol} (${own.software}): ${older}`
  }
  if (own.charter !== undefined && other.charter !== '' && other.charter !== hex(own.charter))
    return 'it runs for another consortium: one of the two was started with another charter'
  return undefined
}

/**
 * Answers handshakes.
 *
 * @param onHandshake told of everybody that asks
 * @returns a function that stops answering
 */
export function serveHandshakes(
  host: NetworkNode,
  self: OwnHandshake,
  onHandshake: (from: PeerId, handshake: PeerHandshake) => void,
  log: Log
): Promise<() => Promise<void>> {
  const answer = async (bytes: Uint8Array, from: PeerId) => {
    const asked = decodeCanonical(bytes, handshakeSchema, FRAME_BYTES_MAX)
    onHandshake(from, heard(asked))
    const seen = host.libp2p.getConnections(from).map(({ remoteAddr }) => remoteAddr)
    const observed = seen.find((address) => !isRelayed(address)) ?? seen[0]
    return encodeCanonical({ ...said(self), observed: observed?.toString().slice(0, 512) ?? '' })
  }
  return registerRequestHandler(host, HANDSHAKE_PROTOCOL, answer, LIMITS, log)
}

/**
 * Says handshake.
 *
 * @throws {NetworkError} when there is no answer
 */
export async function requestHandshake(
  host: NetworkNode,
  peer: PeerId,
  self: OwnHandshake,
  signal?: AbortSignal
): Promise<HandshakeAnswer> {
  const begun = Date.now()
  const asked = encodeCanonical(said(self))
  const bytes = await request(host, peer, HANDSHAKE_PROTOCOL, asked, {
    timeoutMs: TIMEOUT_MS,
    maxResponseBytes: FRAME_BYTES_MAX,
    ...(signal === undefined ? {} : { signal })
  })
  const ended = Date.now()
  const answer = decodeCanonical(bytes, answerSchema, FRAME_BYTES_MAX)
  return {
    ...heard(answer),
    clockAheadMs: Math.round(answer.clock - (begun + ended) / 2),
    roundTripMs: ended - begun,
    observed: printable(answer.observed)
  }
}

function said({ charter, software, protocol = PROTOCOL_VERSION }: OwnHandshake) {
  return { protocol, software, charter: charter ?? new Uint8Array(0), clock: Date.now() }
}

function heard({
  protocol,
  software,
  charter
}: z.infer<typeof handshakeSchema> | z.infer<typeof answerSchema>): PeerHandshake {
  return { protocol, software: printable(software), charter: hex(charter) }
}

/** What a peer says goes into logs and onto terminals. */
function printable(text: string): string {
  return text.replace(/[^\x20-\x7e]/g, '?')
}
