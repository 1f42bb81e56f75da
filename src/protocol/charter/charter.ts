import { createHash } from 'node:crypto'
import { CID } from 'multiformats/cid'
import { create as createDigest } from 'multiformats/hashes/digest'
import { z } from 'zod'
import { SHARD_DTYPES } from '../../adapter/shard/shard.ts'
import { LISTED_FILE_BYTES_MAX } from '../../formats/digest/block-list.ts'
import { compareBytes, equalBytes, hex } from '../encoding/bytes.ts'
import {
  byteString,
  decodeCanonical,
  encodeCanonical,
  hashCanonical,
  MalformedError,
  withDomain
} from '../encoding/canonical-cbor.ts'
import { isSmallOrder, publicKeyOf, type Signer, type Verify } from '../encoding/signature.ts'
import { baseFilesSchema, modelFileBytes } from './base-files.ts'
import { stackedMax } from './limits.ts'
import { describeCommittee, isCommitteeSafe } from './sample.ts'

/** Most members that vote (rule 15 *Bounds*): a control message then stays under 64 KiB. */
export const VOTERS_MAX = 256
/** Most members, where a committee votes for them (rule 13 *Sample*). */
export const MEMBERS_MAX = 4096
/** Most bytes of a charter file. */
export const CHARTER_BYTES_MAX = 1024 * 1024
const DAG_CBOR_CODE = 0x71
const SHA2_256_CODE = 0x12

export const digestSchema = byteString(32)
export const signatureSchema = byteString(64)
export const peerSchema = byteString().refine(
  (bytes) => publicKeyOf(bytes) !== undefined,
  'must be the PeerId of an Ed25519 key'
)
/** Rule 18 *One verifier*. */
export const memberPeerSchema = peerSchema.refine((bytes) => {
  const key = publicKeyOf(bytes)
  return key === undefined || !isSmallOrder(key)
}, 'a key of small order is refused')
const positive = z.number().int().positive()
/** Bounds that keep every size that a manifest leads to an exact number. */
const features = positive.max(2 ** 24)
const rank = positive.max(2 ** 16)
const milliseconds = positive.max(7 * 24 * 3_600_000)

const memberSchema = z.strictObject({
  /** PeerId, as multihash bytes. */
  peer: memberPeerSchema,
  /** Last revealed element of the member's hash chain; at first its end (rule 12 *Seed*). */
  anchor: digestSchema
})

const moduleSchema = z
  .strictObject({
    /** Name in the base model, without `.weight`. */
    module: z.string().min(1).max(200),
    inFeatures: features,
    outFeatures: features
  })
  .describe('a module that members may adapt')

const fixedWeightSchema = z.strictObject({
  peer: memberPeerSchema,
  /** What its shard counts beside the others'. */
  weight: positive.max(2 ** 40)
})

const charterSchema = z
  .strictObject({
    version: z.literal(1),
    name: z.string().min(1).max(200),
    members: z.array(memberSchema).min(1).max(MEMBERS_MAX),
    base: z.strictObject({
      files: baseFilesSchema,
      /** Digest of the adaptable modules before the first round. */
      modelDigest: digestSchema,
      modules: z.array(moduleSchema).min(1).max(4096)
    }),
    rule: z.literal('flora'),
    init: z.literal('fresh'),
    /** Element format in which shards travel. */
    dtype: z.enum(SHARD_DTYPES),
    rankStabilised: z.boolean(),
    /** How many members train in a round, drawn by the seed; 0 means all. */
    trainers: z.number().int().min(0).max(VOTERS_MAX),
    /** How many members vote, drawn by the seed; null means all. */
    committee: z
      .strictObject({
        size: positive.max(VOTERS_MAX),
        assumedFaulty: z.number().min(0).max(1),
        epsilon: z.number().positive().max(1),
        rounds: positive
      })
      .nullable(),
    /** Fewest certified shards that are stacked; below it the round is void. */
    minShards: positive,
    rank: z.strictObject({ min: rank, max: rank }),
    alpha: z.strictObject({ min: z.number().positive(), max: z.number().positive() }),
    /** Largest number of training documents that counts (rule 9 *Weights*). */
    sampleCap: positive.max(2 ** 40),
    /**
     * What shards count (rule 9): `uniform` all the same, or fixed for the members that are named, and 1 for the others.
     * Not there: by samples.
     */
    weights: z.union([z.literal('uniform'), z.array(fixedWeightSchema).min(1).max(MEMBERS_MAX)]).optional(),
    /** Bounds on the Frobenius norm of a module's ΔW (rule 2 *Validate*). */
    norm: z.strictObject({ factor: z.number().positive(), absolute: z.number().positive() }),
    /**
     * Whether the held-out check may keep a member from endorsing (rule 2 *Validate*): by how many nats per token an update
     * may raise the loss on the member's own held-out text; false where the check is advice only.
     */
    heldOutVeto: z.union([z.literal(false), z.strictObject({ margin: z.number().min(0).max(100) })]),
    timeouts: z.strictObject({
      trainMs: milliseconds,
      gatherMs: milliseconds,
      graceMs: milliseconds,
      proposeMs: milliseconds,
      voteMs: milliseconds,
      /** What every view adds to the two before. */
      growthMs: milliseconds
    }),
    /** Rounds after the seal during which blocks are still served. */
    retain: z.number().int().min(1).max(1_000_000)
  })
  .superRefine((charter, context) => {
    const wrong = (path: string, message: string) =>
      context.addIssue({ code: 'custom', path: [path], message })
    for (let index = 1; index < charter.members.length; index++) {
      if (compareBytes(charter.members[index - 1]!.peer, charter.members[index]!.peer) >= 0)
        wrong('members', 'must be sorted by PeerId bytes, each once')
    }
    for (let index = 1; index < charter.base.modules.length; index++) {
      if (charter.base.modules[index - 1]!.module >= charter.base.modules[index]!.module)
        wrong('base', 'modules must be sorted by name, each once')
    }
    if (modelFileBytes(charter.base.modules) > LISTED_FILE_BYTES_MAX)
      wrong('base', 'modules have more than 32 GiB of weights in float32: adapt fewer')
    const fixed = Array.isArray(charter.weights) ? charter.weights : []
    const peers = new Set(charter.members.map(({ peer }) => hex(peer)))
    for (let index = 0; index < fixed.length; index++) {
      const { peer } = fixed[index]!
      if (index > 0 && compareBytes(fixed[index - 1]!.peer, peer) >= 0)
        wrong('weights', 'must be sorted by PeerId bytes, each once')
      if (!peers.has(hex(peer))) wrong('weights', 'name somebody who is no member')
    }
    if (charter.rank.min > charter.rank.max) wrong('rank', 'min is above max')
    if (charter.alpha.min > charter.alpha.max) wrong('alpha', 'min is above max')
    if (charter.minShards > charter.members.length) wrong('minShards', 'is more than there are members')
    if (charter.trainers > charter.members.length) wrong('trainers', 'is more than there are members')
    const { members, committee } = charter
    const trainers = charter.trainers === 0 ? members.length : charter.trainers
    const atOnce = Math.min(VOTERS_MAX, stackedMax(charter))
    if (committee === null && members.length > VOTERS_MAX)
      wrong('members', `are more than ${VOTERS_MAX}: a committee has to vote for them`)
    if (trainers > atOnce)
      wrong(
        'trainers',
        `are ${trainers}, but a sealed round holds at most ${atOnce} manifests of so many modules`
      )
    if (charter.minShards > trainers) wrong('minShards', 'is more than there are trainers in a round')
    if (committee !== null && committee.size > members.length)
      wrong('committee', 'is larger than the membership')
    else if (committee !== null && !isCommitteeSafe(members.length, committee))
      wrong(
        'committee',
        `is too small for its epsilon of ${committee.epsilon}: ${describeCommittee(members.length, committee)}`
      )
  })

/** The terms of a consortium, version 1. Its CID is the consortium's id. */
export type Charter = z.infer<typeof charterSchema>
/** A member of the round: who it is and where its reveal chain stands. */
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
 * Checks the terms of a charter that somebody drew up.
 *
 * @throws {MalformedError} naming the field that does not fit
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

/** SHA-256 of the charter's canonical bytes. Its signatures are no part of it. */
export function charterId(charter: Charter): Uint8Array {
  // Over the plain DAG-CBOR block, without our domain prefix, so that any IPLD tool can check the CID.
  return createHash('sha256').update(encodeCanonical(charter)).digest()
}

/** The consortium's id as people see it: a CIDv1 of dag-cbor and sha2-256, in base32. */
export function consortiumCid(id: Uint8Array): string {
  return CID.createV1(DAG_CBOR_CODE, createDigest(SHA2_256_CODE, id)).toString()
}

/**
 * Signs a charter and gives the bytes of a charter file.
 *
 * @param signers members of the charter, at least one
 * @throws {MalformedError} when the charter does not fit or a signer is no member
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
 * Reads and judges a charter file.
 *
 * @throws {MalformedError} when it is damaged, does not fit, or a signature is missing or wrong
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
      throw new MalformedError(`signed by ${hex(peer)}, who is no member`)
    if (index > 0 && compareBytes(signatures[index - 1]!.peer, peer) >= 0)
      throw new MalformedError('signatures must be sorted by PeerId bytes, one a member')
  }
}

function signedBytes(id: Uint8Array): Uint8Array {
  return withDomain('charter', id)
}

/** The parent that the first round builds on, in place of a seal. */
export function genesisParent(id: Uint8Array): Uint8Array {
  return hashCanonical('genesis', id)
}
