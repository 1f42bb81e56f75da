import { z } from 'zod'
import {
  createExampleStream,
  findDataFiles,
  type TokenizedExample,
  type TrainingExample
} from '../../../data/index.ts'
import { corpusNotes, exampleTokenizer, loadTokenizer, readCorpusRecords } from '../../../model/index.ts'
import { dataSettings } from '../../../node/config/index.ts'
import { baseModelFolder, requireBaseModel } from '../../options/shipped-model.ts'
import { printResult } from '../../terminal/output.ts'
import { UsageError } from '../../terminal/usage-error.ts'
import type { InspectFlags } from './data.ts'
import { markedText, type TokenPiece, tokenPieces } from './token-pieces.ts'

/** The row length changes no count; it is only needed to pack examples. */
const ROW_TOKENS = 256

/** An example as shown. */
interface ShownExample {
  /** `file:line` */
  readonly source: string
  /** Its text, with the learned parts between ⟦ and ⟧. */
  readonly text: string
  readonly tokens?: readonly TokenPiece[]
}

/** Reads data as a training run would, and prints the result. */
export async function runInspection(
  path: string,
  given: Readonly<Record<string, unknown>>,
  flags: InspectFlags
): Promise<void> {
  const folder = baseModelFolder(flags.model)
  requireBaseModel(folder)
  const settings = parseSettings({
    ...given,
    ...(flags.template !== undefined && { template: flags.template })
  })
  const tokenizer = loadTokenizer(folder)
  const set = await readCorpusRecords(path, { ...settings, skipBad: Number.MAX_SAFE_INTEGER })
  const { tokenize, counts } = exampleTokenizer(settings, { folder, tokenizer })
  const tokenized = set.examples.map((example): [TrainingExample, TokenizedExample[]] => [
    example,
    tokenize(example)
  ])
  const all = tokenized.flatMap(([, parts]) => parts)
  const isText = set.examples.every(({ content }) => content.kind === 'text')
  const packing = settings.packing ?? (isText ? 'across' : 'isolated')
  const shape = { packing, batchSize: 1, sequenceLength: ROW_TOKENS, seed: 1 }
  const shown = tokenized.slice(0, flags.examples).flatMap(([{ source }, parts]) =>
    parts.map((part): ShownExample => {
      const pieces = tokenPieces(part, tokenizer)
      return { source, text: markedText(pieces), ...(flags.tokens === true && { tokens: pieces }) }
    })
  )
  const result = {
    path,
    format: set.format,
    files: (await findDataFiles(path)).files,
    records: set.examples.length + set.bad.length + set.unlearned,
    examples: all.length,
    tokens: all.reduce((sum, { ids }) => sum + ids.length, 0),
    targets: createExampleStream({ examples: all, ...shape }).targets,
    packing,
    bad: set.bad,
    unlearned: set.unlearned,
    passedOver: set.passedOver,
    notes: corpusNotes(set, counts()),
    shown
  }
  printResult(result, flags, () => reportText(result))
}

function parseSettings(values: Readonly<Record<string, unknown>>): z.infer<typeof dataSettings> {
  const parsed = dataSettings.safeParse(values)
  if (parsed.success) return parsed.data
  throw new UsageError(z.prettifyError(parsed.error).replaceAll('\n', ' '))
}

function reportText(result: {
  readonly path: string
  readonly format: string
  readonly files: readonly string[]
  readonly records: number
  readonly examples: number
  readonly tokens: number
  readonly targets: number
  readonly packing: string
  readonly bad: readonly { readonly source: string; readonly reason: string }[]
  readonly notes: readonly string[]
  readonly shown: readonly ShownExample[]
}): string {
  const count = (value: number): string => value.toLocaleString('en-US')
  const { files, bad } = result
  return [
    `data      ${result.path}${files.length > 1 ? ` (${files.length} files)` : ''}`,
    `format    ${result.format}`,
    `records   ${count(result.records)}${bad.length > 0 ? `, of which ${count(bad.length)} do not fit` : ''}`,
    `examples  ${count(result.examples)}, packed ${result.packing}`,
    `tokens    ${count(result.tokens)}, of which ${count(result.targets)} are learned`,
    ...result.notes.filter((note) => !note.includes('records skipped')),
    ...bad.map(({ source, reason }) => `invalid: ${source}: ${reason}`),
    ...result.shown.flatMap(({ source, text, tokens }) => [
      '',
      source,
      ...(tokens === undefined
        ? [text]
        : tokens.map(
            ({ id, text, learned }) =>
              `${String(id).padStart(8)}  ${learned ? 'learned' : '       '}  ${JSON.stringify(text)}`
          ))
    ])
  ].join('\n')
}
