import { z } from 'zod'
import type { Tensor } from '../../formats/tensor.ts'
import type { GraphNode } from '../graph/index.ts'
import { type GemmaConfig, gemmaFamily } from './gemma/index.ts'
import { type Gpt2Config, gpt2Family } from './gpt2/index.ts'
import { type GraniteConfig, graniteFamily } from './granite/index.ts'
import { type Lfm2Config, lfm2Family } from './lfm2/index.ts'
import { type LlamaConfig, llamaFamily } from './llama/index.ts'
import { type MinistralConfig, ministralFamily } from './ministral/index.ts'
import { type OlmoConfig, olmoFamily } from './olmo/index.ts'
import { type Phi3Config, phi3Family } from './phi3/index.ts'
import { readConfig, refuseKey } from './shared/config-reader.ts'
import type { LinearModule, ModelFamily } from './shared/model-family.ts'
import type { ModelNodes } from './shared/model-nodes.ts'
import { rotationChange } from './shared/rope.ts'
import { TOWERS, textTowerOf } from './shared/text-tower.ts'
import { type SmolLm3Config, smolLm3Family } from './smollm3/index.ts'

/** The config of a model in any family. */
export type ModelConfig =
  | LlamaConfig
  | Gpt2Config
  | GemmaConfig
  | SmolLm3Config
  | Phi3Config
  | GraniteConfig
  | OlmoConfig
  | Lfm2Config
  | MinistralConfig

const familyByName = {
  llama: llamaFamily,
  gpt2: gpt2Family,
  gemma: gemmaFamily,
  smollm3: smolLm3Family,
  phi3: phi3Family,
  granite: graniteFamily,
  olmo: olmoFamily,
  lfm2: lfm2Family,
  ministral: ministralFamily
}
const modelTypeSchema = z.looseObject({ model_type: z.string() })

/** The family that a config belongs to. */
export function familyOf<Config extends ModelConfig>(config: Config): ModelFamily<Config> {
  return familyByName[config.family ?? 'llama'] as unknown as ModelFamily<Config>
}

/**
 * Reads a Hugging Face config.json of any family.
 *
 * @throws {UnsupportedModelError} naming the key that is missing, malformed or not supported
 */
export function parseModelConfig(json: unknown): ModelConfig {
  const { model_type } = readConfig(modelTypeSchema, json)
  const text = textTowerOf(json, model_type)
  if (text !== undefined) return { ...parseModelConfig(text.json), tower: text.tower } as ModelConfig
  const families = Object.values(familyByName)
  const family = families.find(({ modelTypes }) => modelTypes.includes(model_type))
  if (family === undefined) {
    const known = [...families.flatMap(({ modelTypes }) => modelTypes), ...Object.keys(TOWERS)]
    return refuseKey('model_type', model_type, known.join(', '))
  }
  return family.parseConfig(json)
}

/** The config.json that `parseModelConfig` reads back into `config`. */
export function modelConfigJson(config: ModelConfig): Record<string, unknown> {
  return familyOf(config).configJson(config)
}

/** What generation caches of a layer's tokens. */
export type LayerCache =
  | {
      /** All keys and values. */
      readonly kind: 'attention'
      readonly keyHeads: number
      readonly headSize: number
    }
  | {
      /** The inputs of a convolution, for the last tokens. */
      readonly kind: 'convolution'
      readonly width: number
      readonly tokens: number
    }

/** What generation caches in every layer. */
export function layerCaches(config: ModelConfig): LayerCache[] {
  const { layers, keyValueHeads: keyHeads, headSize, hiddenSize: width } = config
  const convolution = 'convolution' in config ? config.convolution : undefined
  return Array.from({ length: layers }, (_, index) =>
    convolution?.layers[index]
      ? { kind: 'convolution', width, tokens: convolution.width - 1 }
      : { kind: 'attention', keyHeads, headSize }
  )
}

/**
 * Length in tokens from which the whole text is rotated differently (longrope), so that the cache of a shorter text is
 * invalid; undefined if there is no such length.
 */
export function rotationChangeOf(config: ModelConfig): number | undefined {
  if (!('ropeTheta' in config)) return undefined
  const scalings = [config.ropeScaling, config.localRope?.scaling]
  const lengths = scalings.flatMap((scaling) => rotationChange(scaling, config.maxPositions) ?? [])
  return lengths[0]
}

/** Shape of every parameter by its Hugging Face name. */
export function parameterShapes(config: ModelConfig): Map<string, readonly number[]> {
  return familyOf(config).parameterShapes(config)
}

/** The linear modules that LoRA can adapt, by module name, in the order of the forward pass. */
export function linearModules(config: ModelConfig): Map<string, LinearModule> {
  return familyOf(config).linearModules(config)
}

/** Name of the parameter that the output head reads. */
export function headParameter(config: ModelConfig): string {
  return familyOf(config).headParameter(config)
}

/**
 * The forward pass of a model up to its final norm.
 *
 * @param inputIds int32 [batch, length]
 * @returns [batch · length, hiddenSize]
 */
export function hiddenStates(config: ModelConfig, inputIds: GraphNode, model: ModelNodes): GraphNode {
  return familyOf(config).hidden(config, inputIds, model)
}

/** Initial weights of a new model. */
export function initialiseModel(config: ModelConfig, seed: number): Map<string, Tensor> {
  return familyOf(config).initialise(config, seed)
}
