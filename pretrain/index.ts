/**
 * How the project's own base model is made: tokenizer, training, yardsticks, model card.
 *
 * ```sh
 * npm run pretrain                # trains models/loam-base-1m again
 * npm run pretrain -- evaluate    # unigram, bigram, model
 * ```
 */

export { createDocumentScorer, type DocumentScorer } from './document-scorer.ts'
export { type CountModel, kneserNeyBigram, meanNats, unigramModel } from './kneser-ney.ts'
export { type DomainLoss, type Loss, type Measurement, measureDomains, measureModel } from './measure.ts'
export { tokenizerFiles, writeTokenizerFiles } from './tokenizer-files.ts'
export { type BytePairEncoding, trainBytePairEncoding } from './train-byte-pair-encoding.ts'
