/**
 * Training data in common formats.
 *
 * @example
 * ```ts
 * const { examples } = await readExamples('data/') // .txt, .md, .jsonl, .json, .csv
 * const tokenized = examples.flatMap((example) => tokenizeExample(example, { tokenizer, loss: 'completions' }))
 * const stream = createExampleStream({ examples: tokenized, packing: 'isolated', batchSize: 8, sequenceLength: 128, seed: 1 })
 * ```
 */
export { alpacaPrompt } from './alpaca-prompt.ts'
export { type DataFiles, dataFiles, findDataFiles, type PassedOver } from './data-files.ts'
export { type ChatMessage, DataError, type ExampleContent, type TrainingExample } from './example.ts'
export { fileStamp } from './file-stamp.ts'
export { RECORD_FORMATS, type RecordFormat } from './formats.ts'
export { type BadRecord, type ExampleSet, type ReadExamplesOptions, readExamples } from './read-examples.ts'
export type { RecordTemplate } from './template.ts'
export {
  type RenderChat,
  type TokenizedExample,
  type TokenizeExampleOptions,
  type TokenizeNote,
  tokenizeExample
} from './tokenize-example.ts'
