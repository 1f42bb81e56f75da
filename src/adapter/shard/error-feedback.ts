import { pairFromSvd, productSvd } from '../low-rank/product-svd.ts'
import type { LoraAdapter, LoraPair } from '../pair/lora-adapter.ts'
import { loraScale } from '../pair/lora-scale.ts'
import { joinPairs } from '../stack/join-pairs.ts'
import { pairFromBlocks, type Shard, type ShardDtype, shardFromPair } from './shard.ts'

/** An adapter as sent. */
export interface SentAdapter {
  readonly shards: readonly Shard[]
  /** What every receiver decodes from the shards, bit for bit. */
  readonly adapter: LoraAdapter
  /** The residual: the part of the update missing in the shards, scale 1; empty if nothing is lost. */
  readonly residual: LoraAdapter
}

/** Maximum rank of the residual as a multiple of the sent rank: rounding both factors once loses twice the rank. */
const RESIDUAL_RANKS = 2

/**
 * Rounds an adapter for the wire with error feedback: the residual of an earlier rounding is added before this one. A
 * LoRA update is a product, and its factors are different in every round, so the correction applies to the update
 * s·B·A, not to the factors: the update of the trained rank nearest to s·B·A + residual is sent, and the difference is
 * the next residual.
 *
 * @param trained the trained adapter
 * @param residual the residual of the last stacked shards, scale 1
 * @param rsLora whether the scale is alpha / √rank
 * @throws {AdapterError} for inconsistent shapes, or an element that is not finite
 */
export function sendAdapter(
  trained: LoraAdapter,
  dtype: ShardDtype,
  residual?: LoraAdapter,
  rsLora = false
): SentAdapter {
  if (dtype === 'f32')
    return {
      shards: trained.pairs.map((pair) => shardFromPair(pair)),
      adapter: trained,
      residual: { pairs: [] }
    }
  const sent = trained.pairs.map((pair) => {
    const before = residual?.pairs.find((other) => isAlike(other, pair))
    return sendPair(pair, dtype, before, loraScale(pair, rsLora))
  })
  return {
    shards: sent.map(({ shard }) => shard),
    adapter: { pairs: sent.map(({ pair }) => pair) },
    residual: { pairs: sent.flatMap(({ residual: left }) => left ?? []) }
  }
}

function sendPair(
  trained: LoraPair,
  dtype: ShardDtype,
  before: LoraPair | undefined,
  scale: number
): { shard: Shard; pair: LoraPair; residual: LoraPair | undefined } {
  const due = [
    { pair: trained, coefficient: scale },
    ...(before === undefined ? [] : [{ pair: before, coefficient: 1 }])
  ]
  const shard = shardFromPair(before === undefined ? trained : nearest(trained, due, scale), dtype)
  const pair = pairFromBlocks(
    shard,
    shard.blocks.map(({ bytes }) => bytes)
  )
  const left = joinPairs([...due, { pair, coefficient: -scale }])
  const svd = productSvd(left)
  const rank = Math.min(RESIDUAL_RANKS * trained.rank, svd.sigma.length)
  return { shard, pair, residual: svd.sigma[0] === 0 ? undefined : pairFromSvd(trained.module, svd, rank) }
}

/** The pair with a trained pair's rank and alpha whose update is nearest to a sum (Eckart and Young). */
function nearest(
  { module, rank, alpha }: LoraPair,
  due: Parameters<typeof joinPairs>[0],
  scale: number
): LoraPair {
  const best = pairFromSvd(module, productSvd(joinPairs(due)), rank)
  return { ...best, alpha, A: best.A.map((value) => value / scale) }
}

function isAlike(one: LoraPair, other: LoraPair): boolean {
  return (
    one.module === other.module &&
    one.inFeatures === other.inFeatures &&
    one.outFeatures === other.outFeatures
  )
}
