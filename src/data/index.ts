/**
 * Training text: the testnet's sixteen domains, records in common formats, splits and packing.
 *
 * ```ts
 * const { documents } = await loadDomain('moby-dick')
 * const { train, heldOut } = splitDocuments(documents, { seed: 1 })
 * const stream = createBatchStream({
 *   documents: train.map(({ text }) => text), tokenizer, batchSize: 8, sequenceLength: 128, seed: 1
 * })
 * const batch = stream.nextBatch(0)
 * ```
 */

export {
  DOMAIN_NAMES,
  type Domain,
  type DomainDescription,
  type DomainLine,
  type DomainName,
  describeDomain,
  domainsFile,
  isDomainName,
  loadDomain
} from './domains.ts'
export { splitDocuments } from './order/hold-out.ts'
export { KEPT_BACK_SHARE, KEPT_BACK_TARGETS_MIN, type KeptBack, keepBack } from './order/keep-back.ts'
export { combineSeeds, seededIntegers, seededPermutation, seededShuffle } from './order/seeded-order.ts'
export {
  createExampleStream,
  type ExampleStream,
  type ExampleStreamOptions,
  PACKINGS,
  type Packing
} from './packing/example-stream.ts'
export {
  type BatchStream,
  type BatchStreamOptions,
  createBatchStream,
  documentTokens
} from './packing/packing.ts'
export type { TrainingBatch } from './packing/training-batch.ts'
export * from './records/index.ts'
export { type MultipleChoice, readMultipleChoice } from './records/multiple-choice.ts'
export { cutText } from './text/cut-text.ts'
export type { TextDocument } from './text/document.ts'
export { encodeText, type TextTokenizer, textPrefix, withPrefix } from './text/text-tokenizer.ts'
