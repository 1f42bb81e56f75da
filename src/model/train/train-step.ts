import type { TrainingBatch } from '../../data/packing/training-batch.ts'
import { createOnnxRuntimeExecutor, type Executor, type FeedValue } from '../executor/index.ts'
import {
  headParameter,
  hiddenStates,
  type LoraNodes,
  type ModelConfig,
  parameterShapes
} from '../families/index.ts'
import { crossEntropy } from '../families/shared/cross-entropy.ts'
import { isolatedDocuments, isolationFeeds } from '../families/shared/isolated-documents.ts'
import { cast, elementCount, GraphBuilder, type GraphNode, gradients, reshape } from '../graph/index.ts'
import { type DropoutDraw, drawDropout, dropoutName } from '../lora/dropout.ts'
import { declareLora, loraNames } from '../lora/lora-nodes.ts'
import type { LoraSettings } from '../lora/lora-settings.ts'
import { checkTokenId } from '../tokenizer/token-id.ts'
import type { BaseFormat } from '../weights/base-format.ts'
import { declareWeights, type WeightNodes } from '../weights/held-weights.ts'

/** What a step trains: all weights of the model, or LoRA factors beside frozen weights. */
export type Trainable = { readonly kind: 'all' } | ({ readonly kind: 'lora' } & LoraSettings)

/** Options of a training step. */
export interface TrainStepOptions {
  readonly config: ModelConfig
  readonly trainable: Trainable
  readonly batchSize: number
  readonly sequenceLength: number
  /** Whether a token attends only to its own packed document; the batches then have `segments`. */
  readonly isolateDocuments?: boolean
  /** Whether only each layer's input is kept for the backward pass: less memory, but a second forward pass. */
  readonly recompute?: boolean
  /** Format in which frozen base weights are fed; `f32` if absent. */
  readonly baseFormat?: BaseFormat
  /** Threads of the default executor. */
  readonly threads?: number
  readonly executor?: Executor
}

/** The result of a step. */
export interface StepResult {
  /** Weighted mean cross-entropy over the batch's targets, nats. */
  readonly loss: number
  /** By trainable parameter; overwritten by the next step. */
  readonly gradients: ReadonlyMap<string, Float32Array>
}

/** Forward, loss and gradients in one compiled graph. */
export interface TrainStep {
  /** Shape of every trainable parameter, by the name under which it is fed and its gradient returned. */
  readonly trainableShapes: ReadonlyMap<string, readonly number[]>
  /**
   * One step; it changes no parameter. Steps must not overlap.
   *
   * @param parameters every weight of the model by its Hugging Face name (or as `holdWeights` gives them), and the LoRA
   *   factors if there are any
   * @param totalWeight divisor of the targets' weights: by default their sum in this batch; with accumulated gradients,
   * the sum over all batches
   * @param draw position of the dropout masks, if the LoRA has dropout; without it nothing is dropped
   */
  step(
    parameters: ReadonlyMap<string, FeedValue>,
    batch: TrainingBatch,
    totalWeight?: number,
    draw?: DropoutDraw
  ): Promise<StepResult>
  dispose(): Promise<void>
}

/**
 * Builds and compiles a training step for batches of one size.
 *
 * @throws {Error} when a size is not a positive integer, or a target module does not exist
 */
export async function createTrainStep(options: TrainStepOptions): Promise<TrainStep> {
  const { config, trainable, batchSize, sequenceLength } = options
  for (const size of [batchSize, sequenceLength]) {
    if (!Number.isInteger(size) || size < 1)
      throw new Error(
        `batchSize and sequenceLength must be positive integers, got ${batchSize} and ${sequenceLength}`
      )
  }
  const executor = options.executor ?? createOnnxRuntimeExecutor({ threads: options.threads ?? 1 })
  const builder = new GraphBuilder()
  const weights = frozenOrTrained(builder, options)
  const lora =
    trainable.kind === 'all'
      ? new Map<string, LoraNodes>()
      : declareLora(builder, config, trainable, trainable.dropout ? batchSize * sequenceLength : undefined)
  const trained = trainableNodes(config, trainable, weights, lora)
  const size = [batchSize, sequenceLength]
  const flat = [batchSize * sequenceLength]
  const inputIds = builder.input('inputIds', size, 'int32')
  const targetIds = reshape(builder.input('targetIds', size, 'int32'), flat)
  const targetWeights = reshape(builder.input('targetWeights', size), flat)
  const sequence = options.isolateDocuments ? isolatedDocuments(builder, batchSize, sequenceLength) : {}
  const recompute = (layer: string): GraphNode[] =>
    [...trained].flatMap(([name, node]) => (name.startsWith(`${layer}.`) ? [node] : []))
  const model = { ...weights, lora, sequence, ...(options.recompute && { recompute }) }
  const hidden = hiddenStates(config, inputIds, model)
  const head = cast(weights.parameter(headParameter(config)), 'float32')
  const loss = crossEntropy(hidden, head, targetIds, targetWeights, config.logitSoftCap)

  const names = [...trained.keys()]
  const outputs: Record<string, GraphNode> = { loss }
  gradients(loss, [...trained.values()]).forEach((gradient, index) => {
    outputs[names[index]!] = gradient
  })
  const compiled = await executor.compile(builder.build(outputs))
  const masks = dropoutMasks(lora)
  const normalised = new Float32Array(batchSize * sequenceLength)

  return {
    trainableShapes: new Map([...trained].map(([name, { shape }]) => [name, shape])),
    step: async (values, batch, totalWeight = sum(batch.targetWeights), draw) => {
      checkBatch(batch, options)
      const divisor = totalWeight > 0 ? totalWeight : 1
      for (let index = 0; index < normalised.length; index++)
        normalised[index] = batch.targetWeights[index]! / divisor
      const feeds = new Map<string, FeedValue>(values)
      feeds.set('inputIds', batch.inputIds).set('targetIds', batch.targetIds).set('targetWeights', normalised)
      if (options.isolateDocuments)
        for (const [name, data] of isolationFeeds(batch.segments, batchSize, sequenceLength))
          feeds.set(name, data)
      for (const [name, mask] of masks) feeds.set(name, draw ? mask : mask.fill(1))
      if (draw && trainable.kind === 'lora') drawDropout(masks.values(), trainable.dropout ?? 0, draw)
      const results = await compiled.run(feeds)
      const found = new Map(names.map((name) => [name, results.get(name)!]))
      return { loss: results.get('loss')![0]!, gradients: found }
    },
    dispose: () => compiled.dispose()
  }
}

function frozenOrTrained(
  builder: GraphBuilder,
  { config, trainable, baseFormat = 'f32' }: TrainStepOptions
): WeightNodes {
  if (trainable.kind === 'all' && baseFormat !== 'f32')
    throw new Error(`weights to train cannot be stored as ${baseFormat}`)
  return declareWeights(builder, config, baseFormat)
}

function trainableNodes(
  config: ModelConfig,
  trainable: Trainable,
  { parameter }: WeightNodes,
  lora: ReadonlyMap<string, LoraNodes>
): ReadonlyMap<string, GraphNode> {
  if (trainable.kind === 'all')
    return new Map([...parameterShapes(config).keys()].map((name) => [name, parameter(name)]))
  const nodes = new Map<string, GraphNode>()
  for (const [module, { A, B }] of lora) nodes.set(loraNames(module).A, A).set(loraNames(module).B, B)
  return nodes
}

/** Buffers for every module's dropout mask, by input name. */
function dropoutMasks(lora: ReadonlyMap<string, LoraNodes>): ReadonlyMap<string, Float32Array> {
  const masks = new Map<string, Float32Array>()
  for (const [module, { dropout }] of lora)
    if (dropout) masks.set(dropoutName(module), new Float32Array(elementCount(dropout.shape)))
  return masks
}

function checkBatch(batch: TrainingBatch, { batchSize, sequenceLength, config }: TrainStepOptions): void {
  if (batch.batchSize !== batchSize || batch.sequenceLength !== sequenceLength) {
    throw new Error(
      `the step was built for batches of ${batchSize} x ${sequenceLength} tokens, not ${batch.batchSize} x ${batch.sequenceLength}`
    )
  }
  for (const name of ['inputIds', 'targetIds', 'targetWeights', 'segments'] as const) {
    const length = batch[name]?.length ?? batchSize * sequenceLength
    const wanted = batchSize * sequenceLength
    if (length !== wanted) throw new Error(`the batch's ${name} has ${length} elements instead of ${wanted}`)
  }
  for (const ids of [batch.inputIds, batch.targetIds]) {
    for (const id of ids) checkTokenId(id, config)
  }
}

function sum(values: Float32Array): number {
  return values.reduce((total, value) => total + value, 0)
}
