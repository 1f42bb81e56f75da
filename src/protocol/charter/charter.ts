import { createHash } from 'node:crypto'
import { CID } from 'multiformats/cid'
import { create as createDigest } from 'multiformats/hashes/digest'
import { z } from 'zod'
import { SHARD_DTYPES } from '../../adapter/shard/shard.ts'
import { LISTED_FILE_BYTES_MAX } from '../../formats/digest/block-list.ts'
import { compareBytes, equalBytes, hex } from '../encoding/bytes.ts'
import {
  decodeCanonical,
  encodeCanonical,
  hashCanonical,
  MalformedError,
  withDomain
} from '../encoding/canonical-cbor.ts'
import {
  digestSchema,
  memberPeerSchema,
  peerSchema,
  positiveSchema,
  signatureSchema,
  textSchema
} from '../encoding/schemas.ts'
import type { Signer, Verify } from '../encoding/signature.ts'
import { baseFilesSchema, modelFileBytes } from './base-files.ts'
import { describeCommittee, isCommitteeSafe } from './committee.ts'
import { CHARTER_BYTES_MAX, MEMBERS_MAX, VOTERS_MAX } from './limits.ts'
import { stackedMax } from './manifest-size.ts'

const DAG_CBOR_CODE = 0x71
const SHA2_256_CODE = 0x12

/** Bounds within which every size derived from a manifest is an exact integer. */
const features = positiveSchema.max(2 ** 24)
const rank = positiveSchema.max(2 ** 16)
const milliseconds = positiveSchema.max(7 * 24 * 3_600_000)

const memberSchema = z.strictObject({
  /** PeerId, as multihash bytes. */
  peer: memberPeerSchema,
  /** Last revealed element of the member's hash chain; initially its end (rule 12 *Seed*). */
  anchor: digestSchema
})

const moduleSchema = z
  .strictObject({
    /** Name in the base model, without `.weight`. */
    module: textSchema(200).min(1),
    inFeatures: features,
    outFeatures: features
  })
  .describe('a module that members may adapt')

const fixedWeightSchema = z.strictObject({
  peer: memberPeerSchema,
  /** Weight of its shard, relative to the others'. */
  weight: positiveSchema.max(2 ** 40)
})

const charterSchema = z
  .strictObject({
    version: z.literal(1),
    name: textSchema(200).min(1),
    members: z.array(memberSchema).min(1).max(MEMBERS_MAX),
    base: z.strictObject({
      files: baseFilesSchema,
      /** Digest of the adaptable modules before the first round. */
      modelDigest: digestSchema,
      modules: z.array(moduleSchema).min(1).max(4096)
    }),
    rule: z.literal('flora'),
    init: z.literal('fresh'),
    /** Element format of shards on the wire. */
    dtype: z.enum(SHARD_DTYPES),
    rankStabilised: z.boolean(),
    /** How many members, drawn by the seed, train in a round; 0 means all. */
    trainers: z.number().int().min(0).max(VOTERS_MAX),
    /** How many members, drawn by the seed, vote in a round; null means all. */
    committee: z
      .strictObject({
        size: positiveSchema.max(VOTERS_MAX),
        assumedFaulty: z.number().min(0).max(1),
        epsilon: z.number().positive().max(1),
        rounds: positiveSchema
      })
      .nullable(),
    /** Minimum number of certified shards to stack; with fewer the round is void. */
    minShards: positiveSchema,
    rank: z.strictObject({ min: rank, max: rank }),
    alpha: z.strictObject({ min: z.number().positive(), max: z.number().positive() }),
    /** Largest count of training data that a manifest may claim (rule 9 *Weights*). */
    sampleCap: positiveSchema.max(2 ** 40),
    /**
     * How shards are weighted (rule 9): `uniform`, all the same; `documents`, by the number of training documents; or
     * fixed for the members listed, and 1 for the others. When absent, by the number of training targets, the tokens
     * that the loss counts.
     */
    weights: z
      .union([z.enum(['uniform', 'documents']), z.array(fixedWeightSchema).min(1).max(MEMBERS_MAX)])
      .optional(),
    /**
     * Updates are clipped, module by module, to the median norm of the cut, and weights are capped more tightly (rule
     * 9). When absent, updates are not clipped.
     */
    clip: z.literal('median').optional(),
    /** Bounds on the Frobenius norm of a module's ΔW (rule 2 *Validate*). */
    norm: z.strictObject({ factor: z.number().positive(), absolute: z.number().positive() }),
    /**
     * Whether the held-out check may keep a member from endorsing (rule 2 *Validate*): by how many nats per token an
     * update may raise the loss on the member's own held-out text; false if the check is advisory.
     */
    heldOutVeto: z.union([z.literal(false), z.strictObject({ margin: z.number().min(0).max(100) })]),
    timeouts: z.strictObject({
      trainMs: milliseconds,
      gatherMs: milliseconds,
      graceMs: milliseconds,
      proposeMs: milliseconds,
      voteMs: milliseconds,
      /** Increase of proposeMs and voteMs with every view. */
      growthMs: milliseconds
    }),
    /** Number of rounds after the seal during which blocks are still served. */
    retain: z.number().int().min(1).max(1_000_000)
  })
  .superRefine((charter, context) => {
    for (const [field, message] of [...listFaults(charter), ...boundFaults(charter)])
      context.addIssue({ code: 'custom', path: [field], message })
  })

/** The terms of a consortium, version 1. Its CID is the consortium's id. */
export type Charter = z.infer<typeof charterSchema>
type Fault = readonly [field: keyof Charter, message: string]

/** Checks the order of a charter's lists and the peers that they name. */
function listFaults({ members, base, weights }: Charter): Fault[] {
  const faults: Fault[] = []
  if (!isAscending(members, (left, right) => compareBytes(left.peer, right.peer)))
    faults.push(['members', 'must be sorted by PeerId bytes, each once'])
  if (!isAscending(base.modules, (left, right) => (left.module < right.module ? -1 : 1)))
    faults.push(['base', 'modules must be sorted by name, each once'])
  const fixed = Array.isArray(weights) ? weights : []
  if (!isAscending(fixed, (left, right) => compareBytes(left.peer, right.peer)))
    faults.push(['weights', 'must be sorted by PeerId bytes, each once'])
  const peers = new Set(members.map(({ peer }) => hex(peer)))
  if (fixed.some(({ peer }) => !peers.has(hex(peer))))
    faults.push(['weights', 'names a peer that is not a member'])
  return faults
}

function isAscending<T>(values: readonly T[], compare: (left: T, right: T) => number): boolean {
  return values.every((value, index) => index === 0 || compare(values[index - 1]!, value) < 0)
}

/** Checks that a charter's numbers do not contradict each other. */
function boundFaults(charter: Charter): Fault[] {
  const { members, committee, rank, alpha, minShards } = charter
  const faults: Fault[] = []
  if (modelFileBytes(charter.base.modules) > LISTED_FILE_BYTES_MAX)
    faults.push(['base', 'modules have more than 32 GiB of weights in float32: adapt fewer'])
  if (rank.min > rank.max) faults.push(['rank', 'min is above max'])
  if (alpha.min > alpha.max) faults.push(['alpha', 'min is above max'])
  if (minShards > members.length) faults.push(['minShards', 'is larger than the number of members'])
  if (charter.trainers > members.length) faults.push(['trainers', 'is larger than the number of members'])
  const trainers = charter.trainers === 0 ? members.length : charter.trainers
  const trainersMax = Math.min(VOTERS_MAX, stackedMax(charter))
  if (committee === null && members.length > VOTERS_MAX)
    faults.push(['members', `more than ${VOTERS_MAX} members need a committee that votes for them`])
  if (trainers > trainersMax)
    faults.push([
      'trainers',
      `${trainers} train in a round, but with this number of modules a sealed round has room for at most ${trainersMax} manifests`
    ])
  if (minShards > trainers) faults.push(['minShards', 'is larger than the number of trainers in a round'])
  if (committee !== null && committee.size > members.length)
    faults.push(['committee', 'is larger than the membership'])
  else if (committee !== null && !isCommitteeSafe(members.length, committee))
    faults.push([
      'committee',
      `is too small for its epsilon of ${committee.epsilon}: ${describeCommittee(members.length, committee)}`
    ])
  return faults
}

/** A member of the round: its identity and the position of its reveal chain. */
export type Member = z.infer<typeof memberSchema>

const signedCharterSchema = z.strictObject({
  charter: z.unknown(),
  signatures: z
    .array(z.strictObject({ peer: peerSchema, signature: signatureSchema }))
    .min(1)
    .max(MEMBERS_MAX)
})

/** A charter with its id and the members who signed it. */
export interface SignedCharter {
  readonly charter: Charter
  /** SHA-256 of the charter's canonical bytes: what every message names. */
  readonly id: Uint8Array
  readonly signatures: readonly { peer: Uint8Array; signature: Uint8Array }[]
}

/**
 * Checks the terms of a charter.
 *
 * @throws {MalformedError} naming the invalid field
 */
export function checkCharter(charter: Charter): Charter {
  let bytes: Uint8Array
  try {
    bytes = encodeCanonical(charter)
  } catch (error) {
    throw new MalformedError(`not deterministic DAG-CBOR: ${(error as Error).message}`)
  }
  return decodeCanonical(bytes, charterSchema, CHARTER_BYTES_MAX)
}

/** SHA-256 of the charter's canonical bytes, without its signatures. */
export function charterId(charter: Charter): Uint8Array {
  // Over the plain DAG-CBOR block, without a domain prefix, so that any IPLD tool can check the CID.
  return createHash('sha256').update(encodeCanonical(charter)).digest()
}

/** The consortium's id as displayed: a CIDv1 of dag-cbor and sha2-256, in base32. */
export function consortiumCid(id: Uint8Array): string {
  return CID.createV1(DAG_CBOR_CODE, createDigest(SHA2_256_CODE, id)).toString()
}

/**
 * Signs a charter and returns the bytes of a charter file.
 *
 * @param signers members of the charter, at least one
 * @throws {MalformedError} when the charter is not valid or a signer is not a member
 */
export function encodeCharter(charter: Charter, signers: readonly Signer[]): Uint8Array {
  checkCharter(charter)
  const message = signedBytes(charterId(charter))
  const signatures = signers
    .map((signer) => ({ peer: signer.peer, signature: signer.sign(message) }))
    .sort((left, right) => compareBytes(left.peer, right.peer))
  requireSigners(charter, signatures)
  return encodeCanonical({ charter, signatures })
}

/**
 * Decodes a charter file and verifies it.
 *
 * @throws {MalformedError} when it is damaged or not valid, or a signature is missing or wrong
 */
export function decodeCharter(bytes: Uint8Array, verify: Verify): SignedCharter {
  const outer = decodeCanonical(bytes, signedCharterSchema, CHARTER_BYTES_MAX)
  const charter = checkCharter(outer.charter as Charter)
  const id = charterId(charter)
  requireSigners(charter, outer.signatures)
  for (const { peer, signature } of outer.signatures) {
    if (!verify(peer, signedBytes(id), signature))
      throw new MalformedError(`the charter's signature by ${hex(peer)} is not valid: the file was changed`)
  }
  return { charter, id, signatures: outer.signatures }
}

function requireSigners(charter: Charter, signatures: readonly { peer: Uint8Array }[]): void {
  if (signatures.length === 0) throw new MalformedError('no member signed the charter')
  for (const [index, { peer }] of signatures.entries()) {
    if (!charter.members.some((member) => equalBytes(member.peer, peer)))
      throw new MalformedError(`signed by ${hex(peer)}, which is not a member`)
    if (index > 0 && compareBytes(signatures[index - 1]!.peer, peer) >= 0)
      throw new MalformedError('signatures must be sorted by PeerId bytes, one per member')
  }
}

function signedBytes(id: Uint8Array): Uint8Array {
  return withDomain('charter', id)
}

/** The parent of the first round, in place of a seal. */
export function genesisParent(id: Uint8Array): Uint8Array {
  return hashCanonical('genesis', id)
}
