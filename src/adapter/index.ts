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

export { AdapterError } from './adapter-error.ts'
export { decodeAdapterFile, encodeAdapterFile, type LocalAdapter } from './adapter-file.ts'
export { adapterFromTensors, adapterTensors } from './adapter-tensors.ts'
export { allFinite, checkAdapter, checkPair, isFinitePair } from './check-adapter.ts'
export { clipAdapter, clipToMedian } from './clip.ts'
export { compareStrings } from './compare-strings.ts'
export { concatenateAdapters } from './concatenate.ts'
export { modelDigest, sha256Hex, stackDigest } from './digest.ts'
export {
  decodeElements,
  ELEMENT_FORMAT_BYTES,
  type ElementFormat,
  encodeElements,
  isElementFormat,
  widenElements
} from './element-formats.ts'
export { type SentAdapter, sendAdapter } from './error-feedback.ts'
export {
  type EncodeGgufOptions,
  encodeGguf,
  type GgufFile,
  type GgufValue,
  ggufChunks
} from './gguf.ts'
export { type GgufArchitecture, ggufModule, ggufRows } from './gguf-llama.ts'
export { ggufLora } from './gguf-lora.ts'
export { decodeGguf } from './gguf-reader.ts'
export { MergeKernel } from './kernel/merge-kernel.ts'
export type { WeightData, WeightDtype } from './kernel/weight-data.ts'
export { type LimitedAdapter, limitRank } from './limit-rank.ts'
export { pairFromSvd, productSvd, tailEnergy } from './linear-algebra/product-svd.ts'
export { float32Bytes } from './little-endian.ts'
export type { LoraAdapter, LoraPair } from './lora-adapter.ts'
export {
  checkMerge,
  type MergedModules,
  mergeAdapter,
  mergePair,
  mergePairInPlace,
  weightOf
} from './merge.ts'
export { updateNorm } from './norm.ts'
export {
  decodePeftFolder,
  encodePeftFolder,
  PEFT_CONFIG_FILE,
  PEFT_WEIGHTS_FILE,
  type PeftAdapter,
  type PeftFolder
} from './peft-folder.ts'
export { type LoraFactor, parsePeftKey, peftKey } from './peft-keys.ts'
export {
  AGGREGATION_RULES,
  type Aggregate,
  type AggregationOptions,
  type AggregationRule,
  adapterBytes,
  aggregationError,
  aggregationRule,
  bytesUp,
  INITS,
  type Init,
  nextStart,
  type RoundBytes,
  type RoundStart,
  roundBytes
} from './rules/index.ts'
export {
  type DecodedSafetensors,
  type DecodeSafetensorsOptions,
  decodeSafetensors,
  type EncodeSafetensorsOptions,
  encodeSafetensors,
  type SafetensorsDtype,
  safetensorsChunks,
  safetensorsHead
} from './safetensors.ts'
export {
  planSafetensorsFiles,
  SAFETENSORS_FILE_BYTES_MAX,
  type SafetensorsFilePlan,
  type SafetensorsFiles
} from './safetensors-files.ts'
export {
  parseSafetensorsHeader,
  type SafetensorsEntry,
  SafetensorsError,
  type SafetensorsHeader
} from './safetensors-header.ts'
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
} from './shard.ts'
export {
  loraScale,
  type Stack,
  type StackMember,
  type StackOptions,
  stackAdapters
} from './stack.ts'
export type { Tensor, TensorMap } from './tensor.ts'
export { cappedSamples, coefficients, type MemberWeights } from './weights.ts'
