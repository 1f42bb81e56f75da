import { z } from 'zod'
import { SHARD_DTYPES } from '../../adapter/shard/shard.ts'
import { MEMBERS_MAX, VOTERS_MAX } from '../charter/limits.ts'
import { byteString } from '../encoding/canonical-cbor.ts'
import {
  counterSchema,
  digestSchema,
  memberPeerSchema,
  peerSchema,
  positiveSchema,
  signatureSchema
} from '../encoding/schemas.ts'
import { type Kind, signedHeaderSchema } from './header.ts'

/** Index of a member in its round. */
const indexSchema = z
  .number()
  .int()
  .min(0)
  .max(MEMBERS_MAX - 1)

/** A set of a round's members. */
export const membersBitmapSchema = byteString().refine(
  (bytes) => bytes.length <= MEMBERS_MAX / 8,
  'the bitmap is too long'
)

/** One module's pair as a manifest announces it. */
export const shardSchema = z.strictObject({
  module: z.string().min(1).max(200),
  rank: positiveSchema,
  alpha: z.number().positive(),
  inFeatures: positiveSchema,
  outFeatures: positiveSchema,
  /** SHA-256 of every block, in order. */
  blocks: z.array(digestSchema).min(1).max(4096)
})

export const manifestSchema = z.strictObject({
  /** Training documents, n_k. */
  samples: positiveSchema,
  dtype: z.enum(SHARD_DTYPES),
  shards: z.array(shardSchema).min(1).max(4096),
  totalBytes: positiveSchema,
  /** The author's next hash chain element (rule 12 *Seed*). */
  reveal: digestSchema
})

export const endorsementSchema = z.strictObject({ manifest: digestSchema })

/** The authors whose certificates the signer holds. */
export const readySchema = z.strictObject({ certified: membersBitmapSchema })

export const attestationSchema = z.strictObject({
  cut: digestSchema,
  /** Digest of the round's stack; null in a void round. */
  stack: digestSchema.nullable(),
  /** Digest of the merged model; in a void round, of the previous model. */
  model: digestSchema
})

/** Rule 10 *Evidence*: two headers that one member signed and that contradict each other, sorted by payload. */
export const evidenceSchema = z.strictObject({
  first: signedHeaderSchema,
  second: signedHeaderSchema,
  /** The bodies of two attestations that name different cuts in different attempts; otherwise absent. */
  attested: z.array(attestationSchema).max(2)
})

/** Rule 11 *Membership*: a peer that is to join or to leave. */
export const changeRequestSchema = z.strictObject({
  type: z.enum(['join', 'leave', 'evict']),
  peer: memberPeerSchema,
  /** End of a joining peer's reveal chain; null for the others. */
  anchor: digestSchema.nullable(),
  /** A recent seal, and the digest of the model that it left: the request lapses when the seal is no longer recent. */
  seal: digestSchema,
  model: digestSchema,
  /** Last round whose cut may include it. */
  expiry: positiveSchema
})

/** A member's vote for a request; for a leave, the leaver's vote alone is enough. */
export const membershipVoteSchema = z.strictObject({
  request: changeRequestSchema,
  /** Signature of the peer that joins or leaves; null for an eviction. */
  own: signatureSchema.nullable(),
  /** The member's signature over the request; null for a leave. */
  admit: signatureSchema.nullable()
})

/** A request with the signatures that it needs. */
export const membershipChangeSchema = z.strictObject({
  request: changeRequestSchema,
  own: signatureSchema.nullable(),
  admits: z.array(z.strictObject({ member: indexSchema, signature: signatureSchema })).max(VOTERS_MAX)
})

/** The value that a round decides: what is stacked, who joins and leaves, who is convicted. */
export const cutSchema = z.strictObject({
  entries: z.array(z.strictObject({ author: peerSchema, manifest: digestSchema })).max(VOTERS_MAX),
  /** Sorted by peer, each once. */
  membership: z.array(membershipChangeSchema).max(VOTERS_MAX),
  /** Sorted by offender, each once. */
  evidence: z.array(evidenceSchema).max(VOTERS_MAX)
})

export const carriedReadySchema = z.strictObject({
  member: indexSchema,
  certified: membersBitmapSchema,
  signature: signatureSchema
})

export const proposalSchema = z.strictObject({
  cut: cutSchema,
  /** View whose prevotes make the cut valid, or −1 for a fresh proposal. */
  validView: z.number().int().min(-1),
  /** Exactly q readies in a fresh proposal, none in a repeated one. */
  readies: z.array(carriedReadySchema).max(VOTERS_MAX)
})

/** A vote for a cut, or against all (null). */
export const voteSchema = z.strictObject({ cut: digestSchema.nullable() })

/** Body by kind of message; `docs/spec/messages.md` says what the slot of each kind means. */
export const bodySchemas = {
  manifest: manifestSchema,
  endorsement: endorsementSchema,
  ready: readySchema,
  proposal: proposalSchema,
  prevote: voteSchema,
  precommit: voteSchema,
  attestation: attestationSchema,
  evidence: evidenceSchema,
  'membership-vote': membershipVoteSchema
} as const satisfies Record<Kind, z.ZodType>

const indexedSignature = z.strictObject({ member: indexSchema, signature: signatureSchema })

/** A quorum of endorsements of one manifest. Has no signature of its own. */
export const certificateSchema = z.strictObject({
  author: indexSchema,
  manifest: digestSchema,
  endorsements: z.array(indexedSignature).min(1).max(VOTERS_MAX)
})

/** A quorum of equal attestations. Has no signature of its own. */
export const sealSchema = z.strictObject({
  round: counterSchema,
  parent: digestSchema,
  cut: digestSchema,
  stack: digestSchema.nullable(),
  model: digestSchema,
  attestations: z
    .array(z.strictObject({ member: indexSchema, attempt: counterSchema, signature: signatureSchema }))
    .min(1)
    .max(VOTERS_MAX)
})

export type Body<K extends Kind> = z.infer<(typeof bodySchemas)[K]>
export type Manifest = z.infer<typeof manifestSchema>
export type ManifestShard = z.infer<typeof shardSchema>
export type Cut = z.infer<typeof cutSchema>
export type Proposal = z.infer<typeof proposalSchema>
export type CarriedReady = z.infer<typeof carriedReadySchema>
export type Vote = z.infer<typeof voteSchema>
export type ChangeRequest = z.infer<typeof changeRequestSchema>
export type MembershipChange = z.infer<typeof membershipChangeSchema>
export type Evidence = z.infer<typeof evidenceSchema>
export type Attestation = z.infer<typeof attestationSchema>
export type Certificate = z.infer<typeof certificateSchema>
export type Seal = z.infer<typeof sealSchema>
