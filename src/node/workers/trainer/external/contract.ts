import { z } from 'zod'

/** Version of the contract between a daemon and a trainer (docs/trainers.md). */
export const CONTRACT_VERSION = 1

const path = z.string().min(1).describe('an absolute path')
const count = z.int().nonnegative()
const id = z.int().positive().describe('request number, repeated in its answers')

/** The weights that a request starts from. */
const weights = {
  base: path.describe('folder of the base model, in the Hugging Face layout'),
  merged: path
    .nullable()
    .describe(
      'safetensors file, float32, with the weights of the modules that sealed rounds have changed, under their names in the base; null before the first'
    ),
  changed: z
    .array(z.string())
    .describe(
      'modules whose weights in `merged` differ from those of the previous request of this trainer process; every module of `merged` for the first'
    )
}

const trainingSettings = z.object({
  steps: z.int().positive(),
  batchSize: z.int().positive(),
  sequenceLength: z.int().positive(),
  learningRate: z.number().positive().describe('peak; a cosine to 0 follows a linear warm-up'),
  warmupSteps: count,
  weightDecay: z.number().nonnegative(),
  clipNorm: z.number().positive().describe('limit of the global gradient norm'),
  dropout: z.number().min(0).lt(1).describe('on the input of the LoRA layers'),
  threads: z.int().positive()
})

/** Train one round's adapter. */
const trainRequest = z.object({
  type: z.literal('train'),
  id,
  key: z
    .string()
    .describe('identifies this request across restarts; a checkpoint may be resumed if its key is equal'),
  round: z.int().positive(),
  ...weights,
  modules: z.array(z.string()).min(1).describe('full names of the modules to adapt'),
  rank: z.int().positive(),
  alpha: z.number().positive(),
  rsLora: z.boolean().describe('whether the scale is alpha / √rank instead of alpha / rank'),
  seed: z.int().nonnegative().describe('for everything random in the training'),
  batches: path.describe('the tokens to train on, read and packed by Loam; see "Batches"'),
  data: path.describe('the training data, for trainers that read it themselves'),
  training: trainingSettings,
  deadline: z.iso.datetime().describe('time after which a result is too late for the round'),
  output: path.describe('empty folder for the adapter'),
  checkpoint: path.describe('folder for checkpoints, kept between requests')
})

/** Measure the held-out loss of the weights, with or without an adapter. */
const evaluateRequest = z.object({
  type: z.literal('evaluate'),
  id,
  ...weights,
  adapter: path.nullable().describe('PEFT folder of the adapter to measure; null for the weights alone'),
  batches: path.describe('the tokens to score; see "Batches"')
})

/** From the daemon to the trainer. */
export const requestSchema = z.discriminatedUnion('type', [
  trainRequest,
  evaluateRequest,
  z.object({ type: z.literal('finish'), id }).describe('send the result so far'),
  z.object({ type: z.literal('cancel'), id }).describe('stop without a result')
])

/** Optional features of a trainer besides training. */
export const FEATURES = ['evaluate', 'finish'] as const

const text = z.string().max(2_000)
/** Privacy budget spent by a training, as declared by its trainer. */
const privacy = z.object({
  epsilon: z.number().nonnegative(),
  delta: z.number().min(0).max(1),
  unit: text,
  mechanism: text
})

/** From the trainer to the daemon. */
export const answerSchema = z.discriminatedUnion('type', [
  z.object({
    type: z.literal('ready'),
    contract: z.int(),
    name: text,
    version: text,
    device: text.optional(),
    precision: text.optional(),
    features: z
      .array(text)
      .max(16)
      .default([])
      .describe(`of: ${FEATURES.join(', ')}; others are ignored`)
  }),
  z.object({
    type: z.literal('progress'),
    id,
    step: count,
    steps: z.int().positive(),
    loss: z.number().describe('mean nats per target of the step'),
    tokensPerSecond: z.number().nonnegative().optional()
  }),
  z.object({
    type: z.literal('result'),
    id,
    folder: path.describe('PEFT folder: adapter_config.json and adapter_model.safetensors'),
    steps: z.int().positive().describe('number of optimizer steps'),
    tokens: count.describe('number of targets trained on').optional(),
    samples: z
      .int()
      .positive()
      .optional()
      .describe('number of documents trained on, if the trainer reads the data itself'),
    device: text.optional(),
    precision: text.optional(),
    privacy: privacy.optional()
  }),
  z.object({
    type: z.literal('evaluation'),
    id,
    loss: z.number().describe('mean nats per target'),
    tokens: z.int().positive()
  }),
  z.object({ type: z.literal('failed'), id, reason: text }),
  z.object({ type: z.literal('cancelled'), id })
])

export type Feature = (typeof FEATURES)[number]
export type TrainRequest = z.infer<typeof trainRequest>
export type EvaluateRequest = z.infer<typeof evaluateRequest>
export type ContractRequest = z.infer<typeof requestSchema>
export type ContractAnswer = z.infer<typeof answerSchema>
export type TrainerReady = Extract<ContractAnswer, { type: 'ready' }>
export type TrainerResult = Extract<ContractAnswer, { type: 'result' }>

/** The contract as a JSON schema, for trainers in other languages. */
export function contractJsonSchema(): object {
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: `Loam trainer contract, version ${CONTRACT_VERSION}`,
    $defs: {
      request: z.toJSONSchema(requestSchema, { io: 'input' }),
      answer: z.toJSONSchema(answerSchema, { io: 'input' })
    }
  }
}
