import type { LinearModule } from '../model-family.ts'
import { TOWER_PREFIX } from '../text-tower.ts'
import { CONVOLUTION_NAMES, type DecoderConfig, type DecoderNames } from './config.ts'

export const OUTPUT_HEAD = 'lm_head.weight'

/** Prefix of the names of all parameters except the head's. */
export function decoderPrefix({ tower }: DecoderConfig): string {
  return tower === undefined ? 'model.' : TOWER_PREFIX
}

/** Name of the embedding table. */
export function embeddingName(config: DecoderConfig): string {
  return `${decoderPrefix(config)}embed_tokens.weight`
}

/** Name of layer `index`, the prefix of its modules' names. */
export function layerName(config: DecoderConfig, index: number): string {
  return `${decoderPrefix(config)}layers.${index}`
}

/** The linear modules that LoRA can adapt, by module name, in the order of the forward pass. */
export function decoderLinearModules(config: DecoderConfig, names: DecoderNames): Map<string, LinearModule> {
  const {
    hiddenSize,
    headSize,
    intermediateSize,
    attentionBias,
    outputBias,
    feedForwardBias = false
  } = config
  const [queries, keys] = [config.heads * headSize, config.keyValueHeads * headSize]
  const modules = new Map<string, LinearModule>()
  for (let index = 0; index < config.layers; index++) {
    const put = (name: string, inFeatures: number, outFeatures: number, bias: boolean): void => {
      modules.set(`${layerName(config, index)}.${name}`, { inFeatures, outFeatures, bias })
    }
    const { queryKeyValue, gateUp } = names
    if (config.convolution?.layers[index]) {
      put(CONVOLUTION_NAMES.input, hiddenSize, 3 * hiddenSize, config.convolution.bias)
      put(CONVOLUTION_NAMES.output, hiddenSize, hiddenSize, config.convolution.bias)
    } else {
      if (typeof queryKeyValue === 'string') put(queryKeyValue, hiddenSize, queries + 2 * keys, attentionBias)
      else
        for (const [part, name] of queryKeyValue.entries())
          put(name, hiddenSize, part === 0 ? queries : keys, attentionBias)
      put(names.attentionOutput, queries, hiddenSize, outputBias)
    }
    if (typeof gateUp === 'string') put(gateUp, hiddenSize, 2 * intermediateSize, feedForwardBias)
    else for (const name of gateUp) put(name, hiddenSize, intermediateSize, feedForwardBias)
    put(names.down, intermediateSize, hiddenSize, feedForwardBias)
  }
  return modules
}

/** Shape of every parameter by its Hugging Face name. */
export function decoderParameterShapes(
  config: DecoderConfig,
  names: DecoderNames
): Map<string, readonly number[]> {
  const { hiddenSize, vocabularySize } = config
  const shapes = new Map<string, readonly number[]>([[embeddingName(config), [vocabularySize, hiddenSize]]])
  for (const [name, { inFeatures, outFeatures, bias }] of decoderLinearModules(config, names)) {
    shapes.set(`${name}.weight`, [outFeatures, inFeatures])
    if (bias) shapes.set(`${name}.bias`, [outFeatures])
  }
  for (let index = 0; index < config.layers; index++) {
    const layer = layerName(config, index)
    for (const [name, width] of insideShapes(config, names, index)) shapes.set(`${layer}.${name}`, width)
    for (const { before, after } of [names.attentionNorms, names.feedForwardNorms])
      for (const name of [before, after])
        if (name !== undefined) shapes.set(`${layer}.${name}.weight`, [hiddenSize])
  }
  shapes.set(`${decoderPrefix(config)}${names.finalNorm}.weight`, [hiddenSize])
  if (!config.tiedHead) shapes.set(OUTPUT_HEAD, [vocabularySize, hiddenSize])
  return shapes
}

/** Parameters of a layer's attention or convolution other than its linear modules. */
function insideShapes(
  { convolution, queryKeyNorm, headSize, heads, keyValueHeads, hiddenSize }: DecoderConfig,
  names: DecoderNames,
  index: number
): [string, readonly number[]][] {
  if (convolution?.layers[index])
    return [
      [`${CONVOLUTION_NAMES.taps}.weight`, [hiddenSize, 1, convolution.width]],
      ...(convolution.bias ? [[`${CONVOLUTION_NAMES.taps}.bias`, [hiddenSize]] as [string, number[]]] : [])
    ]
  if (!queryKeyNorm) return []
  const widthOf = (count: number): number => (queryKeyNorm === 'all-heads' ? count * headSize : headSize)
  return [
    [`${names.queryNorm}.weight`, [widthOf(heads)]],
    [`${names.keyNorm}.weight`, [widthOf(keyValueHeads)]]
  ]
}
