import assert from 'node:assert/strict'
import type { Tensor } from '../../../../src/formats/tensor.ts'
import { logProbabilityGraph } from '../../../../src/model/evaluate/log-probability-graph.ts'
import type { DecoderConfig } from '../../../../src/model/families/shared/decoder/index.ts'
import { isolationFeeds } from '../../../../src/model/families/shared/isolated-documents.ts'
import {
  createDecoder,
  createGenerator,
  createTrainStep,
  type Executor,
  expandTargetModules,
  type HeldWeights,
  linearModules,
  loadHeldWeights,
  type ModelConfig,
  modelConfigJson,
  openParameters,
  parameterShapes,
  parseModelConfig,
  rotationChangeOf
} from '../../../../src/model/index.ts'
import { assertClose } from '../close.ts'
import { EXECUTORS_HERE, titleOf } from '../executor/executors.ts'
import { type FamilyCase, familyCases, withSavedFolder } from './family-case.ts'

/** Of the largest logit, or of the largest element of a gradient. */
const AGREEMENT = 1e-4

/** Features of a family beyond Llama: each has to show in the vectors. */
const DIFFERENCES = [
  ...([
    'windows',
    'ropeScaling',
    'rotarySize',
    'localRope',
    'unrotated',
    'queryGrowth',
    'normOffset'
  ] as const),
  ...(['activation', 'embeddingScale', 'residualScale', 'hiddenScale', 'attentionScale'] as const),
  ...(['attentionSoftCap', 'logitSoftCap', 'queryKeyNorm', 'feedForwardBias'] as const)
]

function weightsOf(known: FamilyCase): Promise<Map<string, Tensor>> {
  return withSavedFolder(known, (folder) => {
    const { tensors, close } = openParameters(folder, parseModelConfig(known.config))
    try {
      return new Map([...tensors].map(([name, { shape, read }]) => [name, { shape, data: read() }]))
    } finally {
      close()
    }
  })
}

/** Log-probability of every target by the logits of transformers. */
function targetLogProbabilities({ logits, batch }: FamilyCase): Float64Array {
  const vocabulary = logits.shape.at(-1)!
  return Float64Array.from(batch.targetIds, (target, row) => {
    const values = [...logits.data.subarray(row * vocabulary, (row + 1) * vocabulary)]
    return values[target]! - Math.log(values.reduce((sum, value) => sum + Math.exp(value), 0))
  })
}

/** Log-probability of every target as computed by Loam. */
async function scoresOf(executor: Executor, config: ModelConfig, known: FamilyCase): Promise<Float32Array> {
  const { batchSize, sequenceLength, inputIds, targetIds } = known.batch
  const wanted = parameterShapes(config)
  const weights = [...(await weightsOf(known))].filter(([name]) => wanted.has(name))
  const compiled = await executor.compile(logProbabilityGraph(config, batchSize, sequenceLength))
  const feeds = new Map<string, Float32Array | Int32Array>(weights.map(([name, { data }]) => [name, data]))
  const outputs = await compiled.run(feeds.set('inputIds', inputIds).set('targetIds', targetIds))
  const found = outputs.get('logProbabilities')!.slice()
  await compiled.dispose()
  return found
}

async function checkLogits(executor: Executor, known: FamilyCase): Promise<void> {
  const config = parseModelConfig(known.config)
  const { batchSize, sequenceLength, inputIds } = known.batch
  const found = await scoresOf(executor, config, known)
  assertClose(found, targetLogProbabilities(known), AGREEMENT, 'log-probabilities')
  if (sequenceLength > config.maxPositions) return
  const weights = await weightsOf(known)
  const decoder = createDecoder({ config, executor })
  // What stands before a change of rotations was computed for a shorter text than transformers computed it for.
  const change = rotationChangeOf(config) ?? 0
  const first = change < sequenceLength ? change : 0
  const { data, shape } = known.logits
  const [, , vocabulary] = shape as [number, number, number]
  for (let row = 0; row < batchSize; row++) {
    const ids = [...inputIds.subarray(row * sequenceLength, (row + 1) * sequenceLength)]
    const rows = await decoder.start(weights).appendRows(ids, ids.length)
    const found = rows.slice(first).flatMap((logits) => [...logits])
    const from = (row * sequenceLength + first) * vocabulary
    assertClose(found, data.subarray(from, from + found.length), AGREEMENT, `logits of row ${row}`)
  }
  await decoder.dispose()
}

async function checkGradients(
  executor: Executor,
  known: FamilyCase,
  { held, recompute = false }: { held?: HeldWeights; recompute?: boolean } = {}
): Promise<void> {
  const config = parseModelConfig(known.config)
  const { rank, alpha, batch } = known
  const trainable = { kind: 'lora', rank, alpha, targetModules: ['all-linear'] } as const
  const { batchSize, sequenceLength } = batch
  const step = await createTrainStep({
    config,
    trainable,
    batchSize,
    sequenceLength,
    executor,
    recompute,
    ...(held && { baseFormat: held.format })
  })
  const base = held?.feeds ?? [...(await weightsOf(known))].map(([name, { data }]) => [name, data] as const)
  const factors = Object.entries(known.lora).map(([name, { data }]) => [name, data] as const)
  const { loss, gradients } = await step.step(new Map([...base, ...factors]), batch)
  assertClose([loss], [known.loss], AGREEMENT, 'loss')
  for (const [name, { data }] of Object.entries(known.gradients))
    assertClose(gradients.get(name) ?? [], data, AGREEMENT, `gradient of ${name}`)
  await step.dispose()
}

async function checkGreedy(executor: Executor, known: FamilyCase): Promise<void> {
  const generator = await createGenerator({ config: parseModelConfig(known.config), executor })
  const weights = await weightsOf(known)
  for (const { prompt, made } of known.greedy) {
    const found = await generator.generate({ weights, ids: prompt, maxTokens: made.length, temperature: 0 })
    assert.deepEqual(found, made)
  }
  await generator.dispose()
}

/** Two documents in a row that do not see each other, against each alone. */
async function checkIsolation(known: FamilyCase): Promise<void> {
  const config = parseModelConfig(known.config)
  const executor = EXECUTORS_HERE[0]!
  const weights = await weightsOf(known)
  const scores = async (from: number, to: number, segments?: Float32Array): Promise<Float32Array> => {
    const length = to - from
    const graph = logProbabilityGraph(config, 1, length, { isolateDocuments: segments !== undefined })
    const compiled = await executor.compile(graph)
    const feeds = new Map<string, Float32Array | Int32Array>(
      [...weights].map(([name, { data }]) => [name, data])
    )
    for (const name of ['inputIds', 'targetIds'] as const) feeds.set(name, known.batch[name].slice(from, to))
    if (segments) for (const [name, data] of isolationFeeds(segments, 1, length)) feeds.set(name, data)
    const found = (await compiled.run(feeds)).get('logProbabilities')!.slice()
    await compiled.dispose()
    return found
  }
  const length = known.batch.sequenceLength
  const packed = await scores(
    0,
    length,
    Float32Array.from({ length }, (_, index) => Number(index >= CUT))
  )
  const apart = [...(await scores(0, CUT)), ...(await scores(CUT, length))]
  assertClose(packed, apart, AGREEMENT, 'log-probabilities of two documents')
}

/** Tokens of the first of two documents. */
const CUT = 5

/** The bits of a repeatable decoder, whether a text comes as a whole, in pieces, or after going back. */
async function checkCuts(known: FamilyCase): Promise<void> {
  const config = parseModelConfig(known.config)
  const weights = await weightsOf(known)
  const decoder = createDecoder({ config, repeatable: true })
  const ids = [...known.batch.inputIds.subarray(0, known.batch.sequenceLength)]
  const whole = await decoder.start(weights).appendRows(ids, ids.length)
  const text = decoder.start(weights)
  await text.append([...ids.slice(0, 4), 3, 3])
  text.truncate(4)
  const rows: Float32Array[] = whole.slice(0, 4)
  for (const piece of [ids.slice(4, 5), ids.slice(5, 11), ids.slice(11)])
    rows.push(...(await text.appendRows(piece, piece.length)))
  assert.deepEqual(rows, whole)
  await decoder.dispose()
}

for (const { family, cases } of familyCases()) {
  for (const known of cases) {
    describe(`${family}, ${known.name}: matches transformers and PEFT (checks/vectors/family-vectors.py)`, () => {
      const config = parseModelConfig(known.config)

      it('reads both spellings of config.json, and its own, alike', () => {
        assert.deepEqual(parseModelConfig(known.olderConfig), config)
        assert.deepEqual(parseModelConfig(JSON.parse(JSON.stringify(modelConfigJson(config)))), config)
      })

      it('adapts the modules of all-linear', () => {
        assert.deepEqual([...linearModules(config).keys()].sort(), known.modules)
        assert.deepEqual(expandTargetModules(config, ['all-linear']), known.modules)
      })

      for (const executor of EXECUTORS_HERE) {
        it(`logits, ${titleOf(executor)}`, () => checkLogits(executor, known))
        it(`loss and gradients of LoRA, ${titleOf(executor)}`, () => checkGradients(executor, known))
        // A generated text ends at the model's positions; transformers continues.
        if (known.batch.sequenceLength <= config.maxPositions)
          it(`greedy texts, ${titleOf(executor)}`, () => checkGreedy(executor, known))
      }

      for (const setting of DIFFERENCES.filter((name) => name in config)) {
        it(`would compute something else without ${setting}`, async () => {
          const { [setting]: _, ...plain } = config as DecoderConfig
          const found = await scoresOf(EXECUTORS_HERE[0]!, plain as ModelConfig, known)
          const differences = targetLogProbabilities(known).map((value, row) => Math.abs(value - found[row]!))
          assert.ok(!(Math.max(...differences) <= 20 * AGREEMENT), `${Math.max(...differences)}`)
        })
      }

      const changes =
        'ropeScaling' in config && ['longrope', 'dynamic'].includes(config.ropeScaling?.kind ?? '')
      // Else a short document is rotated as the long row is.
      if (!changes) it('keeps packed documents apart', () => checkIsolation(known))
      if (known.batch.sequenceLength <= config.maxPositions)
        it('decodes the same bits however a text is divided', () => checkCuts(known))

      it('gradients with layers that are recomputed', () =>
        checkGradients(EXECUTORS_HERE[0]!, known, { recompute: true }))

      it('gradients with a base held as float16, as on disk', async () => {
        const held = await withSavedFolder(known, (folder) => loadHeldWeights(folder, config, 'f16'))
        await checkGradients(EXECUTORS_HERE[0]!, known, { held })
      })
    })
  }
}
