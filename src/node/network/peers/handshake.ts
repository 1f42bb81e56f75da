import type { PeerId } from '@libp2p/interface'
import { z } from 'zod'
import { byteString, decodeCanonical, encodeCanonical, hex, textSchema } from '../../../protocol/index.ts'
import type { Log } from '../../log/log.ts'
import type { NetworkNode } from '../core/network-host.ts'
import { registerRequestHandler, request } from '../requests/request-response.ts'
import { isRelayed } from './peer-address.ts'

/**
 * The one protocol that stays the same in all versions: two nodes exchange their protocol version, consortium, clock,
 * and each other's observed address. Unknown fields are ignored, so that later versions can add some.
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
  /** Id of the consortium; empty for a relay with an allow list instead of a charter. */
  charter: byteString(32).or(byteString(0)),
  /** Milliseconds since 1970. */
  clock: z.number().int().min(0)
}
/** A handshake request. */
export const handshakeSchema = z.looseObject(common)
const answerSchema = z.looseObject({ ...common, observed: textSchema(512) })

/** What a node states about itself. */
export interface OwnHandshake {
  readonly charter: Uint8Array | undefined
  /** Name and version: `loam/0.1.0`. */
  readonly software: string
  /** Overrides the protocol version, for tests. */
  readonly protocol?: number
}

/** What another node stated. */
export interface PeerHandshake {
  readonly protocol: number
  readonly software: string
  /** Hex; empty for a relay without a charter. */
  readonly charter: string
}

/** An answer, and what was measured with it. */
export interface HandshakeAnswer extends PeerHandshake {
  /** The other clock's offset, milliseconds; half a round trip is its uncertainty. */
  readonly clockAheadMs: number
  readonly roundTripMs: number
  /** This node's address as observed by the other side. */
  readonly observed: string
}

/** Why two nodes are incompatible; undefined if they are compatible. */
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
 * @param onHandshake called for every handshake request
 * @returns a function that stops it
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
 * Performs a handshake.
 *
 * @throws {NetworkError} when no answer arrives
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

/** Others' text goes into logs and onto terminals. */
function printable(text: string): string {
  return text.replace(/[^\x20-\x7e]/g, '?')
}
