import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import {
  createExampleStream,
  DOMAIN_NAMES,
  documentTokens,
  type ExampleStream,
  loadDomain,
  splitDocuments,
  type TokenizedExample
} from '../../src/data/index.ts'
import { type BaseModel, createCorpusReader } from '../../src/model/index.ts'
import { TRAINING_DEFAULTS } from '../../src/node/config/index.ts'

/** How the members of a federation train. */
export interface FederationTraining {
  readonly targetModules: readonly string[]
  /** By member, in turn. */
  readonly ranks: readonly number[]
  readonly steps: number
  readonly batchSize: number
  readonly sequenceLength: number
  readonly learningRate: number
}

/** A member: its training data, and the text that it keeps back. */
export interface FederationMember {
  readonly name: string
  readonly samples: number
  readonly stream: ExampleStream
  readonly heldOut: TokenizedExample
}

/** All members of one federation, with its training. */
export interface Federation {
  readonly name: string
  readonly training: FederationTraining
  /** Whether packed examples attend only to themselves. */
  readonly isIsolated: boolean
  readonly members: readonly FederationMember[]
}

const LINEAR = ['q_proj', 'k_proj', 'v_proj', 'o_proj', 'gate_proj', 'up_proj', 'down_proj']

/** As `loam testnet` trains. */
export const TESTNET_TRAINING: FederationTraining = {
  targetModules: LINEAR,
  ranks: [16, 8, 4, 2],
  ...pick(TRAINING_DEFAULTS)
}

/** As `lab -- poison` trains: short rounds, attention alone. */
export const SHORT_ROUNDS: FederationTraining = {
  targetModules: ['q_proj', 'v_proj'],
  ranks: [8],
  ...pick(TRAINING_DEFAULTS),
  ...{ steps: 10, batchSize: 4, sequenceLength: 64 }
}

function pick({ steps, batchSize, sequenceLength, learningRate }: typeof TRAINING_DEFAULTS) {
  return { steps, batchSize, sequenceLength, learningRate }
}

/** The testnet's first domains, one per member. */
export async function domainsFederation(
  { tokenizer }: BaseModel,
  count: number,
  training: FederationTraining,
  tokens: number
): Promise<FederationMember[]> {
  const members: FederationMember[] = []
  for (const [index, name] of DOMAIN_NAMES.slice(0, count).entries()) {
    const { train, heldOut } = splitDocuments((await loadDomain(name)).documents, { seed: 1 })
    const whole = (text: string): TokenizedExample => {
      const ids = Int32Array.from(documentTokens(text, tokenizer))
      return { ids, weights: new Uint8Array(ids.length).fill(1).fill(0, 0, 1) }
    }
    members.push({
      name,
      samples: train.length,
      stream: createExampleStream({
        examples: train.map(({ text }) => whole(text)),
        packing: 'across',
        seed: index,
        batchSize: training.batchSize,
        sequenceLength: training.sequenceLength
      }),
      heldOut: joined(
        heldOut.map(({ text }) => whole(text)),
        tokens
      )
    })
  }
  return members
}

/** A folder of NAME.train.jsonl and NAME.heldout.jsonl, with one name per member. */
export async function folderFederation(
  base: BaseModel,
  baseFolder: string,
  folder: string,
  training: FederationTraining,
  tokens: number
): Promise<FederationMember[]> {
  const names = readdirSync(folder)
    .filter((file) => file.endsWith('.train.jsonl'))
    .map((file) => file.slice(0, -'.train.jsonl'.length))
    .sort()
  if (names.length === 0) throw new Error(`${folder} has no file that is named NAME.train.jsonl`)
  const members: FederationMember[] = []
  const reader = createCorpusReader()
  const read = async (path: string) => {
    const model = { folder: baseFolder, tokenizer: base.tokenizer }
    return (await reader.read(path, { loss: 'completions' }, model)).examples.flat()
  }
  for (const [index, name] of names.entries()) {
    const examples = await read(join(folder, `${name}.train.jsonl`))
    const { batchSize, sequenceLength } = training
    members.push({
      name,
      samples: examples.length,
      stream: createExampleStream({ examples, packing: 'isolated', seed: index, batchSize, sequenceLength }),
      heldOut: joined(await read(join(folder, `${name}.heldout.jsonl`)), tokens)
    })
  }
  return members
}

/** The first tokens of some examples, concatenated. */
function joined(examples: readonly TokenizedExample[], tokens: number): TokenizedExample {
  return {
    ids: Int32Array.from(examples.flatMap(({ ids }) => [...ids])).slice(0, tokens + 1),
    weights: Uint8Array.from(examples.flatMap(({ weights }) => [...weights])).slice(0, tokens + 1)
  }
}
