import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Command } from 'commander'
import { z } from 'zod'
import { encodeText, loadDomain } from '../../src/data/index.ts'
import { ggufParts } from '../../src/formats/gguf/llama-names.ts'
import { readJsonObject } from '../../src/formats/hugging-face/read-json.ts'
import { type GgufValue, ggufChunks } from '../../src/formats/index.ts'
import { type BaseModel, createEvaluator, type LlamaConfig, loadBaseModel } from '../../src/model/index.ts'
import { llamaCppScores } from './score-texts.ts'

/** Largest difference of a token's log-probability, nats, at which two programs count as the same. */
const TOLERANCE = 1e-4

const program = new Command('npm run check -- llama-cpp')
  .description('Compares per-token log-probabilities of a text under a base model with those of llama.cpp.')
  .requiredOption(
    '--node-llama-cpp <folder>',
    'folder of the package node-llama-cpp, which Loam does not depend on'
  )
  .option(
    '--model <folder>',
    'model of the Llama family',
    join(process.env.LOAM_SHARED ?? '../shared', 'data/stories260k')
  )
  .option('--text <file>', 'text to score (default: chapter 1 of Moby-Dick, which the model has not seen)')
  .option('--tokens <n>', 'tokens of it', '256')
  .option('--json', 'print one JSON object', false)
  .addHelpText(
    'after',
    `
Example:
  $ npm run check -- llama-cpp --node-llama-cpp /opt/llama/node_modules/node-llama-cpp`
  )

interface Options {
  readonly nodeLlamaCpp: string
  readonly model: string
  readonly text?: string
  readonly tokens: string
  readonly json: boolean
}

async function compare(options: Options): Promise<void> {
  const base = loadBaseModel(options.model)
  const { config, tokenizer, weights } = base
  if (config.family !== undefined && config.family !== 'llama')
    throw new Error('only models of the Llama family are compared')
  const text =
    options.text === undefined
      ? (await loadDomain('moby-dick')).documents.find(({ id }) => id.includes('chapter-1/'))!.text
      : readFileSync(options.text, 'utf8')
  const ids = encodeText(tokenizer, text).slice(0, Number(options.tokens))
  const evaluator = await createEvaluator({ config, context: ids.length })
  const { perToken, nats } = await evaluator.score({ weights, ids })
  await evaluator.dispose()
  const theirs = await inLlamaCpp(base, config, options.nodeLlamaCpp, ids)
  const differences = perToken.slice(1).map(({ logProb }, index) => Math.abs(logProb! - theirs[index]!))
  const largest = Math.max(...differences)
  const theirNats = -theirs.reduce((sum, value) => sum + value, 0) / theirs.length
  const agrees = largest <= TOLERANCE
  const result = { model: options.model, tokens: theirs.length, nats, theirNats, largest, agrees }
  if (options.json) console.log(JSON.stringify(result))
  else {
    console.log(`${theirs.length} tokens of ${options.text ?? 'Moby-Dick, chapter 1'} under ${options.model}`)
    console.log(`nats a token: Loam ${nats.toFixed(6)}, llama.cpp ${theirNats.toFixed(6)}`)
    console.log(
      `largest difference of a log-probability: ${largest.toExponential(1)} (${agrees ? 'within' : 'BEYOND'} ${TOLERANCE})`
    )
  }
  if (!agrees) process.exitCode = 1
}

/** Log-probability of every token but the first under llama.cpp. */
async function inLlamaCpp(
  base: BaseModel,
  config: LlamaConfig,
  nodeLlamaCpp: string,
  ids: readonly number[]
): Promise<number[]> {
  const folder = mkdtempSync(join(tmpdir(), 'loam-llama-cpp-'))
  try {
    const path = join(folder, 'model.gguf')
    const { heads, keyValueHeads } = config
    const architecture = { name: 'llama', heads, keyValueHeads } as const
    const tensors = [...base.weights].flatMap(([parameter, tensor]) => {
      const module = parameter.slice(0, parameter.lastIndexOf('.'))
      const ending = parameter.slice(module.length)
      return ggufParts(module, tensor, architecture).map(
        ([name, part]) => [`${name}${ending}`, part] as const
      )
    })
    const file = openSync(path, 'w')
    for (const chunk of ggufChunks({ metadata: metadataOf(base, config), tensors: new Map(tensors) }))
      writeSync(file, chunk)
    closeSync(file)
    const [scores] = await llamaCppScores(nodeLlamaCpp, [{ name: 'base', model: path }], ids)
    return scores!
  } finally {
    rmSync(folder, { recursive: true })
  }
}

const tokenizerSchema = z.looseObject({
  model: z.looseObject({ vocab: z.record(z.string(), z.int().nonnegative()) })
})

/** Metadata for llama.cpp. Only ids are passed, never text, so its tokenizer only needs the same number of ids. */
function metadataOf(base: BaseModel, config: LlamaConfig): Map<string, GgufValue> {
  const { vocab } = tokenizerSchema.parse(readJsonObject(join(base.folder, 'tokenizer.json'))).model
  if (!('<0x0A>' in vocab))
    throw new Error('the tokenizer has no byte tokens: see npm run check -- exports for it')
  const tokens = Array.from({ length: config.vocabularySize }, (_, id) => `<unused ${id}>`)
  for (const [token, id] of Object.entries(vocab)) tokens[id] = token
  const count = (value: number): GgufValue => ({ type: 'uint32', value })
  return new Map<string, GgufValue>([
    ['general.architecture', { type: 'string', value: 'llama' }],
    ['llama.vocab_size', count(config.vocabularySize)],
    ['llama.context_length', count(config.maxPositions)],
    ['llama.embedding_length', count(config.hiddenSize)],
    ['llama.block_count', count(config.layers)],
    ['llama.feed_forward_length', count(config.intermediateSize)],
    ['llama.attention.head_count', count(config.heads)],
    ['llama.attention.head_count_kv', count(config.keyValueHeads)],
    ['llama.attention.key_length', count(config.headSize)],
    ['llama.attention.value_length', count(config.headSize)],
    ['llama.attention.layer_norm_rms_epsilon', { type: 'float32', value: config.normEpsilon }],
    ['llama.rope.dimension_count', count(config.headSize)],
    ['llama.rope.freq_base', { type: 'float32', value: config.ropeTheta }],
    ['tokenizer.ggml.model', { type: 'string', value: 'llama' }],
    ['tokenizer.ggml.tokens', { type: 'array', of: 'string', value: tokens }],
    ['tokenizer.ggml.scores', { type: 'array', of: 'float32', value: tokens.map((_, id) => -id) }],
    ['tokenizer.ggml.token_type', { type: 'array', of: 'int32', value: tokens.map(kindOfToken) }],
    ['tokenizer.ggml.bos_token_id', count(config.bosId ?? 1)],
    ['tokenizer.ggml.eos_token_id', count(config.eosId ?? 2)]
  ])
}

/** ggml's kinds: 1 text, 2 unknown, 3 control, 6 a byte. */
function kindOfToken(token: string): number {
  if (/^<0x[0-9A-F]{2}>$/.test(token)) return 6
  if (token === '<unk>') return 2
  return token === '<s>' || token === '</s>' ? 3 : 1
}

await compare(program.parse().opts<Options>())
