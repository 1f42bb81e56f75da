/**
 * How the project's base model and its larger sibling are made: tokenizer, training, yardsticks, model cards.
 *
 * ```sh
 * npm run pretrain                # trains models/loam-base-1m again
 * npm run pretrain -- evaluate    # unigram, bigram, models side by side
 * ```
 *
 * The larger model begins as a widened copy of the base model and is trained on by PyTorch (`torch/train.py`) on the
 * tokens that `corpus/export-tokens.ts` writes: the same split and tokenizer, with additional public-domain texts
 * (`corpus/added-texts/`). `README.md` has the commands.
 */

export { createDocumentScorer, type DocumentScorer } from './scoring/document-scorer.ts'
export { type CountModel, kneserNeyBigram, meanNats, unigramModel } from './scoring/kneser-ney.ts'
export {
  type AddedTextLoss,
  type DomainLoss,
  type Loss,
  type Measurement,
  measureAddedTexts,
  measureDomains,
  measureModel,
  measureModels
} from './scoring/measure.ts'
export { tokenizerFiles, writeTokenizerFiles } from './tokenizer/tokenizer-files.ts'
export { type BytePairEncoding, trainBytePairEncoding } from './tokenizer/train-byte-pair-encoding.ts'
