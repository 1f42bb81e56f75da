import type { TensorMap } from '../../src/formats/index.ts'
import {
  createSeededRandom,
  type LlamaConfig,
  type ModelConfig,
  parameterShapes,
  type SeededRandom
} from '../../src/model/index.ts'
import {
  connectLogitsServer,
  createDecoderModel,
  createLogitsService,
  createServiceTransport,
  DEFAULT_LOGITS_LIMITS,
  type PradaComponents,
  pairProxy,
  tokenModelDigest,
  type Vocabulary
} from '../../src/prada/index.ts'

/** Deviation of the logits: at 32,000 ids it leaves about 4 nats of entropy, as trained models of that size have. */
const LOGIT_DEVIATION = 3.5
const HIDDEN = 64
/** How far the proxy is from the remote, and the adapted proxy from the proxy, as shares of each tensor's deviation. */
const SIBLING = 0.1
const ADAPTED = 0.05

/** A remote with random weights, and two proxies that resemble it. */
export async function randomPair(vocabularySize: number, seed: number): Promise<PradaComponents> {
  const config: LlamaConfig = {
    vocabularySize,
    hiddenSize: HIDDEN,
    layers: 2,
    heads: 2,
    keyValueHeads: 2,
    headSize: HIDDEN / 2,
    maxPositions: 256,
    tiedHead: false,
    intermediateSize: 2 * HIDDEN,
    normEpsilon: 1e-5,
    ropeTheta: 10_000,
    attentionBias: false,
    outputBias: false
  }
  const random = createSeededRandom(seed)
  const weights = randomWeights(config, random)
  const vocabulary: Vocabulary = {
    type: 'numbers',
    bosId: undefined,
    eosId: undefined,
    tokens: Array.from({ length: vocabularySize }, (_, id) => new TextEncoder().encode(`${id} `))
  }
  const digest = tokenModelDigest({ config, weights })
  const model = createDecoderModel({ config, weights })
  const limits = { ...DEFAULT_LOGITS_LIMITS, positionsPerMinute: 1e9 }
  const service = createLogitsService({ name: 'random', model, digest, vocabulary }, limits)
  const base = shaken(weights, random, SIBLING)
  const proxy = {
    base: createDecoderModel({ config, weights: base }),
    adapted: createDecoderModel({ config, weights: shaken(base, random, ADAPTED) })
  }
  return pairProxy(proxy, vocabulary, await connectLogitsServer(createServiceTransport(service)))
}

function randomWeights(config: ModelConfig, random: SeededRandom): TensorMap {
  return new Map(
    [...parameterShapes(config)].map(([name, shape]) => {
      const length = shape.reduce((product, extent) => product * extent, 1)
      const deviation =
        name === 'lm_head.weight' ? LOGIT_DEVIATION / Math.sqrt(HIDDEN) : 1 / Math.sqrt(HIDDEN)
      const draw = name.endsWith('norm.weight') ? () => 1 : () => random.normal() * deviation
      return [name, { shape, data: Float32Array.from({ length }, draw) }]
    })
  )
}

/** The weights plus noise, scaled to a share of each tensor's standard deviation. */
function shaken(weights: TensorMap, random: SeededRandom, share: number): TensorMap {
  return new Map(
    [...weights].map(([name, { shape, data }]) => {
      const deviation = Math.sqrt(data.reduce((sum, value) => sum + value * value, 0) / data.length)
      return [name, { shape, data: data.map((value) => value + random.normal() * deviation * share) }]
    })
  )
}
