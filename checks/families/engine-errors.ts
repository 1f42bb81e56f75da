import type { Tensor } from '../../src/formats/index.ts'
import {
  createDecoder,
  createGenerator,
  createTrainStep,
  type Executor,
  linearModules,
  type ModelConfig,
  rotationChangeOf
} from '../../src/model/index.ts'
import type { FamilyCase } from '../../test/unit/model/families/family-case.ts'

/** How far Loam is from transformers and PEFT, each relative to the largest element; 0 and 1 for what has to be equal. */
export interface EngineErrors {
  readonly logits: number | undefined
  readonly gradients: number
  /** Whether all greedy texts are the same; undefined where transformers generates beyond the model's positions. */
  readonly greedy: boolean | undefined
  readonly modules: boolean
}

/** What one executor computes of a case, against its vectors. */
export async function engineErrors(
  executor: Executor,
  config: ModelConfig,
  weights: ReadonlyMap<string, Tensor>,
  known: FamilyCase
): Promise<EngineErrors> {
  const isWithin = known.batch.sequenceLength <= config.maxPositions
  return {
    logits: isWithin ? await logitError(executor, config, weights, known) : undefined,
    gradients: await gradientError(executor, config, weights, known),
    greedy: isWithin ? await sameTexts(executor, config, weights, known) : undefined,
    modules: `${[...linearModules(config).keys()].sort()}` === `${known.modules}`
  }
}

async function logitError(
  executor: Executor,
  config: ModelConfig,
  weights: ReadonlyMap<string, Tensor>,
  { batch, logits }: FamilyCase
): Promise<number> {
  const { batchSize, sequenceLength, inputIds } = batch
  const change = rotationChangeOf(config) ?? 0
  const first = change < sequenceLength ? change : 0
  const decoder = createDecoder({ config, executor })
  const errors: number[] = []
  for (let row = 0; row < batchSize; row++) {
    const ids = [...inputIds.subarray(row * sequenceLength, (row + 1) * sequenceLength)]
    const rows = await decoder.start(weights).appendRows(ids, ids.length)
    const found = rows.slice(first).flatMap((each) => [...each])
    const from = (row * sequenceLength + first) * config.vocabularySize
    errors.push(relativeError(found, logits.data.subarray(from, from + found.length)))
  }
  await decoder.dispose()
  return Math.max(...errors)
}

async function gradientError(
  executor: Executor,
  config: ModelConfig,
  weights: ReadonlyMap<string, Tensor>,
  { rank, alpha, batch, lora, gradients: expected }: FamilyCase
): Promise<number> {
  const { batchSize, sequenceLength } = batch
  const trainable = { kind: 'lora', rank, alpha, targetModules: ['all-linear'] } as const
  const step = await createTrainStep({ config, trainable, batchSize, sequenceLength, executor })
  const values = [...weights, ...Object.entries(lora)].map(([name, { data }]) => [name, data] as const)
  const { gradients } = await step.step(new Map(values), batch)
  const errors = Object.entries(expected).map(([name, { data }]) => relativeError(gradients.get(name)!, data))
  await step.dispose()
  return Math.max(...errors)
}

async function sameTexts(
  executor: Executor,
  config: ModelConfig,
  weights: ReadonlyMap<string, Tensor>,
  { greedy }: FamilyCase
): Promise<boolean> {
  const generator = await createGenerator({ config, executor })
  let same = true
  for (const { prompt, made } of greedy) {
    const found = await generator.generate({ weights, ids: prompt, maxTokens: made.length, temperature: 0 })
    same &&= `${found}` === `${made}`
  }
  await generator.dispose()
  return same
}

/** Largest difference, in parts of the largest expected element. */
export function relativeError(found: ArrayLike<number>, expected: ArrayLike<number>): number {
  let [difference, scale] = [0, 0]
  for (let index = 0; index < expected.length; index++) {
    difference = Math.max(difference, Math.abs(found[index]! - expected[index]!))
    scale = Math.max(scale, Math.abs(expected[index]!))
  }
  return difference / scale
}
