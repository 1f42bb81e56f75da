import type { Connection, PeerId } from '@libp2p/interface'
import { z } from 'zod'
import {
  byteString,
  decodeCanonical,
  encodeCanonical,
  equalBytes,
  hex,
  textSchema
} from '../../../protocol/index.ts'
import type { Log } from '../../log/log.ts'
import type { NetworkNode } from '../core/network-host.ts'
import { registerRequestHandler, request } from '../requests/request-response.ts'
import { type CopyProof, copyProofSchema, type Instance, instanceIdSchema } from './instance.ts'
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
  clock: z.number().int().min(0),
  /** Which run of the node this is; relays and earlier versions do not say. */
  instance: instanceIdSchema.optional(),
  /** What another live instance of the receiver's identity proves to it. */
  copy: copyProofSchema.optional()
}
/** A handshake request. */
export const handshakeSchema = z.looseObject({
  ...common,
  /** An instance of the receiver's identity of which the sender has heard: the receiver is asked for proof. */
  other: instanceIdSchema.optional()
})
const answerSchema = z.looseObject({
  ...common,
  observed: textSchema(512),
  /** What the sender proves of the instance of its own identity of which it was asked. */
  proof: copyProofSchema.optional()
})

/** What a node states about itself. */
export interface OwnHandshake {
  readonly charter: Uint8Array | undefined
  /** Name and version: `loam/0.1.0`. */
  readonly software: string
  /** Absent of a relay, which nobody mistakes for a member. */
  readonly instance?: Instance
  /** Overrides the protocol version, for tests. */
  readonly protocol?: number
}

/** What another node stated. */
export interface PeerHandshake {
  readonly protocol: number
  readonly software: string
  /** Hex; empty for a relay without a charter. */
  readonly charter: string
  readonly instance: Uint8Array | undefined
  /** What another live instance of this node's identity proves to it. */
  readonly copy: CopyProof | undefined
}

/** An answer, and what was measured with it. */
export interface HandshakeAnswer extends PeerHandshake {
  /** The other clock's offset, milliseconds; half a round trip is its uncertainty. */
  readonly clockAheadMs: number
  readonly roundTripMs: number
  /** This node's address as observed by the other side. */
  readonly observed: string
  readonly proof: CopyProof | undefined
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
 * @param onHandshake called for every handshake request; returns the proof of another live instance of the asker's
 * identity
 * @returns a function that stops it
 */
export function serveHandshakes(
  host: NetworkNode,
  self: OwnHandshake,
  onHandshake: (from: PeerId, handshake: PeerHandshake) => Promise<CopyProof | undefined>,
  log: Log
): Promise<() => Promise<void>> {
  const answer = async (bytes: Uint8Array, from: PeerId) => {
    const asked = decodeCanonical(bytes, handshakeSchema, FRAME_BYTES_MAX)
    const copy = await onHandshake(from, heard(asked))
    const { instance } = self
    const isOther =
      asked.other !== undefined && instance !== undefined && !equalBytes(asked.other, instance.id)
    const proof = isOther ? instance.prove(asked.other!) : undefined
    const seen = host.libp2p.getConnections(from).map(({ remoteAddr }) => remoteAddr)
    const observed = seen.find((address) => !isRelayed(address)) ?? seen[0]
    return encodeCanonical({
      ...said(self, { proof, copy }),
      observed: observed?.toString().slice(0, 512) ?? ''
    })
  }
  return registerRequestHandler(host, HANDSHAKE_PROTOCOL, answer, LIMITS, log)
}

/** What else a handshake says, and by which way. */
export interface HandshakeOptions extends Words {
  readonly signal?: AbortSignal
  /** Over this connection: two copies of an identity have one each. */
  readonly connection?: Connection
  readonly timeoutMs?: number
}

/** What a handshake says of copies of an identity. */
interface Words {
  readonly other?: Uint8Array | undefined
  readonly proof?: CopyProof | undefined
  readonly copy?: CopyProof | undefined
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
  { signal, connection, timeoutMs = TIMEOUT_MS, ...words }: HandshakeOptions = {}
): Promise<HandshakeAnswer> {
  const begun = Date.now()
  const asked = encodeCanonical(said(self, words))
  const bytes = await request(host, peer, HANDSHAKE_PROTOCOL, asked, {
    timeoutMs,
    maxResponseBytes: FRAME_BYTES_MAX,
    ...(connection === undefined ? {} : { connection }),
    ...(signal === undefined ? {} : { signal })
  })
  const ended = Date.now()
  const answer = decodeCanonical(bytes, answerSchema, FRAME_BYTES_MAX)
  return {
    ...heard(answer),
    clockAheadMs: Math.round(answer.clock - (begun + ended) / 2),
    roundTripMs: ended - begun,
    observed: printable(answer.observed),
    proof: answer.proof
  }
}

function said({ charter, software, instance, protocol = PROTOCOL_VERSION }: OwnHandshake, words: Words) {
  const copies = Object.entries({ instance: instance?.id, ...words })
  return {
    protocol,
    software,
    charter: charter ?? new Uint8Array(0),
    clock: Date.now(),
    ...Object.fromEntries(copies.filter(([, value]) => value !== undefined))
  }
}

function heard({
  protocol,
  software,
  charter,
  instance,
  copy
}: z.infer<typeof handshakeSchema> | z.infer<typeof answerSchema>): PeerHandshake {
  return { protocol, software: printable(software), charter: hex(charter), instance, copy }
}

/** Others' text goes into logs and onto terminals. */
function printable(text: string): string {
  return text.replace(/[^\x20-\x7e]/g, '?')
}
