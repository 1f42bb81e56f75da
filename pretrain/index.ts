/**
 * Creates the project's base model and its larger sibling: tokenizer, training, baselines, model cards.
 *
 * ```sh
 * npm run pretrain                # retrains models/loam-base-1m
 * npm run pretrain -- evaluate    # unigram, bigram, models side by side
 * ```
 *
 * The larger model starts as a widened copy of the base model, whose training PyTorch continues (`torch/train.py`) on
 * the tokens that `corpus/export-tokens.ts` writes: the same split and tokenizer, with additional public-domain texts
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
