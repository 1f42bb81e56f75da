import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type LoraPair, shardFromPair } from '../../../src/adapter/index.ts'
import { loadBaseModel } from '../../../src/model/index.ts'
import { createCharter } from '../../../src/node/consortium/create-charter.ts'
import type { Home } from '../../../src/node/home/home.ts'
import { type Identity, identityFromSeed, memberCard } from '../../../src/node/home/identity.ts'
import type { TrainingResult } from '../../../src/node/workers/trainer/training-job.ts'
import { packageRoot } from '../../../src/package-root.ts'
import {
  decodeCharter,
  type Effect,
  encodeCharter,
  type Manifest,
  type PeerEvent,
  type RoundContext,
  type SealedRound,
  type SignedCharter,
  start,
  step,
  verifyEd25519
} from '../../../src/protocol/index.ts'

/** The folder of the shipped model. */
export const MODEL = join(packageRoot(), 'models', 'loam-base-1m')

/** A consortium of one, whose rounds wait for nobody. */
export interface OneMember {
  readonly identity: Identity
  readonly charter: SignedCharter
}

/** An identity's hash chain takes a second, so each is made only once. */
const made = new Map<string, Promise<OneMember & { bytes: Uint8Array }>>()

/**
 * Writes the charter of a consortium of one into its home.
 *
 * @param seed another seed is another member, and another consortium
 * @param retain rounds for which blocks and models are kept
 */
export async function oneMember(home: Home, seed = 1, retain = 64): Promise<OneMember> {
  const key = `${seed}/${retain}`
  const { bytes, ...member } = await (made.get(key) ?? made.set(key, make(seed, retain)).get(key)!)
  await writeFile(home.charter, bytes)
  return member
}

async function make(seed: number, retain: number): Promise<OneMember & { bytes: Uint8Array }> {
  const identity = await identityFromSeed(new Uint8Array(32).fill(seed))
  const terms = await createCharter({
    name: 'one',
    members: [memberCard(identity)],
    base: loadBaseModel(MODEL),
    targetModules: ['q_proj'],
    retain
  })
  const bytes = encodeCharter(terms, [identity.signer])
  return { identity, charter: decodeCharter(bytes, verifyEd25519), bytes }
}

/** A pair of rank 1 for the charter's first module, all elements alike. */
export function smallPair({ charter }: SignedCharter, element = 0.5): LoraPair {
  const { module, inFeatures, outFeatures } = charter.base.modules[0]!
  const filled = (length: number) => new Float32Array(length).fill(element)
  return { module, rank: 1, alpha: 2, inFeatures, outFeatures, A: filled(inFeatures), B: filled(outFeatures) }
}

/** What a trainer reports for that pair. */
export function smallResult(pair: LoraPair): TrainingResult {
  const { blocks, byteLength, dtype: _dtype, ...description } = shardFromPair(pair)
  return {
    samples: 3,
    targets: 24,
    shards: [{ ...description, blocks: blocks.map(({ digest }) => digest) }],
    totalBytes: byteLength
  }
}

/** The manifest of that pair in a round. */
export function smallManifest({ identity }: OneMember, context: RoundContext, pair: LoraPair): Manifest {
  const { targets, shards, totalBytes } = smallResult(pair)
  return {
    samples: targets,
    dtype: 'f32',
    shards: shards.map((shard) => ({
      ...shard,
      blocks: shard.blocks.map((digest) => Buffer.from(digest, 'hex'))
    })),
    totalBytes,
    reveal: identity.revealChain.before(context.members[0]!.anchor)!
  }
}

/** Runs a round to its seal with the protocol alone. */
export function sealRound(
  member: OneMember,
  context: RoundContext,
  digests: { stack: Uint8Array; model: Uint8Array }
): SealedRound {
  const environment = { signer: member.identity.signer, verify: verifyEd25519 }
  let { state, effects } = start(context, environment)
  const waiting: Effect[] = [...effects]
  const happen = (event: PeerEvent) => {
    ;({ state, effects } = step(state, event, environment))
    waiting.push(...effects)
  }
  for (let effect = waiting.shift(); effect !== undefined; effect = waiting.shift()) {
    if (effect.type === 'sealed') return effect.sealedRound
    if (effect.type === 'train') {
      const manifest = smallManifest(member, context, smallPair(member.charter))
      happen({ type: 'trained', round: context.round, manifest })
    }
    if (effect.type === 'fetch') happen({ type: 'blocksHeld', manifest: effect.message.id, fault: undefined })
    if (effect.type === 'build') happen({ type: 'built', cut: effect.cutId, ...digests })
  }
  return assert.fail('the round was not sealed')
}
