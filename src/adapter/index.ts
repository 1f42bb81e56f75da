/**
 * LoRA adapters as values: files, digests, shards, the FLoRA stack and its merge. Pure: values in, values out.
 *
 * @example
 * ```ts
 * import { mergeAdapter, stackAdapters, stackDigest } from 'loam-net/adapter'
 *
 * const stack = stackAdapters([
 *   { author: alice, samples: 120, adapter: aliceAdapter },
 *   { author: bob, samples: 80, adapter: bobAdapter }
 * ])
 * console.log(stackDigest(stack.tensors))
 * const { modules, finite } = mergeAdapter(baseModules, stack.adapter)
 * ```
 */

export { ggufLora } from './gguf/gguf-lora.ts'
export { MergeKernel } from './kernel/merge-kernel.ts'
export type { WeightData, WeightDtype } from './kernel/weight-data.ts'
export { type LimitedAdapter, limitRank } from './low-rank/limit-rank.ts'
export { type NearestPair, nearestPair } from './low-rank/nearest-pair.ts'
export { pairFromSvd, productSvd, tailEnergy } from './low-rank/product-svd.ts'
export {
  checkMerge,
  type MergedModules,
  mergeAdapter,
  mergePair,
  mergePairInPlace,
  weightOf
} from './merge/merge.ts'
export { factorFault, factorNorm, factorNormBound } from './norm/factor-bounds.ts'
export { updateNorm } from './norm/norm.ts'
export { AdapterError } from './pair/adapter-error.ts'
export { allFinite, checkAdapter, checkPair, isFinitePair } from './pair/check-adapter.ts'
export type { LoraAdapter, LoraPair } from './pair/lora-adapter.ts'
export { loraScale } from './pair/lora-scale.ts'
export { decodeAdapterFile, encodeAdapterFile, type LocalAdapter } from './peft/adapter-file.ts'
export { adapterFromTensors, adapterTensors } from './peft/adapter-tensors.ts'
export { PEFT_CONFIG_FILE } from './peft/lora-config.ts'
export {
  decodePeftFolder,
  encodePeftFolder,
  PEFT_WEIGHTS_FILE,
  type PeftAdapter,
  type PeftFolder
} from './peft/peft-folder.ts'
export { type LoraFactor, parsePeftKey, peftKey } from './peft/peft-keys.ts'
export { type SentAdapter, sendAdapter } from './shard/error-feedback.ts'
export {
  BLOCK_BYTES_MAX,
  blockCount,
  blockLengths,
  pairFromBlocks,
  pairFromBytes,
  SHARD_DTYPES,
  type Shard,
  type ShardBlock,
  type ShardDescription,
  type ShardDtype,
  shardByteLength,
  shardFromPair
} from './shard/shard.ts'
export { clipAdapter, clipFactors, clipToMedian, medianNorm } from './stack/clip.ts'
export { concatenateAdapters } from './stack/concatenate.ts'
export {
  type Stack,
  type StackMember,
  type StackOptions,
  stackAdapters
} from './stack/stack.ts'
export { type Clip, cappedSamples, type MemberWeights, memberCounts, shares } from './stack/weights.ts'
