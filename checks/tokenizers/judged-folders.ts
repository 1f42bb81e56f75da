import { existsSync, readdirSync } from 'node:fs'
import { basename, join } from 'node:path'
import type { Command } from 'commander'
import { baseModelFolder } from '../../src/cli/options/shipped-model.ts'
import { readJsonObject } from '../../src/formats/index.ts'
import {
  createTextTokenizer,
  initialiseLlama,
  type LlamaConfig,
  saveBaseModel
} from '../../src/model/index.ts'

/** Largest difference of a token's log-probability, nats, at which two programs count as the same. */
export const TOLERANCE = 1e-4
/** Tokens whose log-probabilities are compared. */
export const SCORED = 96
const EXAMPLE_LENGTH = 120

/** Flags of a check that judges folders with tokenizers. */
export interface JudgedFlags {
  readonly tokenizers: string
  readonly folder: readonly string[]
  readonly texts: string
  readonly json: boolean
}

/** A folder with a real tokenizer. */
export interface JudgedFolder {
  readonly name: string
  readonly path: string
}

/** Adds the flags that say which folders are judged, by how many texts, and how the result is printed. */
export function addJudgedFlags(command: Command): Command {
  return command
    .option(
      '--tokenizers <folder>',
      'folder of packages with a models/tokenizer.json each',
      'node_modules/@lenml'
    )
    .option('--folder <folder...>', 'folders with a tokenizer.json each, beside the packages', [])
    .option('--texts <n>', 'texts to compare', '300')
    .option('--json', 'print one JSON object', false)
}

/** The shipped model's folder, then those selected by the flags; reports missing packages on standard error. */
export function judgedFolders({ tokenizers, folder }: JudgedFlags): JudgedFolder[] {
  const packages = existsSync(tokenizers)
    ? readdirSync(tokenizers)
        .sort()
        .map((name) => join(tokenizers, name, 'models'))
    : []
  if (packages.length === 0) console.error(`skipped: no packages found in ${tokenizers}`)
  return [baseModelFolder(), ...folder, ...packages]
    .filter((path) => existsSync(join(path, 'tokenizer.json')))
    .map((path) => ({
      name: basename(path) === 'models' ? basename(join(path, '..')) : basename(path),
      path
    }))
}

/**
 * Saves a small random Llama with the tokenizer of a folder.
 *
 * @returns its tokenizer and what a score needs
 */
export function saveSmallModel(folder: string, tokenizerFolder: string) {
  const tokenizerJson = readJsonObject(join(tokenizerFolder, 'tokenizer.json'))
  const tokenizerConfigJson = readJsonObject(join(tokenizerFolder, 'tokenizer_config.json'))
  const tokenizer = createTextTokenizer(tokenizerJson, tokenizerConfigJson)
  const config = smallModel(tokenizer.vocabularySize, tokenizer)
  const weights = initialiseLlama(config, 7)
  saveBaseModel(folder, { config, weights, tokenizerJson, tokenizerConfigJson })
  return { tokenizer, config, weights }
}

function smallModel(
  vocabularySize: number,
  { bosId, eosId }: { readonly bosId: number | undefined; readonly eosId?: number | undefined }
): LlamaConfig {
  return {
    family: 'llama',
    vocabularySize,
    hiddenSize: 32,
    intermediateSize: 64,
    layers: 2,
    heads: 4,
    keyValueHeads: 2,
    headSize: 8,
    maxPositions: 512,
    normEpsilon: 1e-5,
    ropeTheta: 10_000,
    attentionBias: false,
    outputBias: false,
    tiedHead: true,
    ...(bosId !== undefined && { bosId }),
    ...(eosId !== undefined && { eosId })
  }
}

/** Whether two lists of token ids are the same. */
export function sameIds(left: readonly number[], right: readonly number[]): boolean {
  return left.length === right.length && left.every((id, index) => id === right[index])
}

/** The largest difference, nats, between the log-probabilities of all tokens but the first. */
export function largestDifference(
  own: readonly { readonly logProb: number | null }[],
  theirs: readonly number[]
): number {
  return Math.max(...own.slice(1).map(({ logProb }, index) => Math.abs(logProb! - theirs[index]!)))
}

/** The beginning of the first text with different ids. */
export function exampleOf(wrong: readonly string[]): string | undefined {
  return wrong[0]?.slice(0, EXAMPLE_LENGTH)
}

/** How many texts have the same ids, with an example where some have not. */
export function sameTexts(texts: number, different: number, example: string | undefined): string {
  const shown = example === undefined ? '' : `, first ${JSON.stringify(example)}`
  return `${texts - different} of ${texts} texts with the same ids${shown}`
}
