import { z } from 'zod'
import type { Tensor } from '../../formats/tensor.ts'
import type { GraphNode } from '../graph/index.ts'
import { type GemmaConfig, gemmaFamily } from './gemma/index.ts'
import { type Gpt2Config, gpt2Family } from './gpt2/index.ts'
import { type LlamaConfig, llamaFamily } from './llama/index.ts'
import { readConfig, refuseKey } from './shared/config-reader.ts'
import type { LinearModule, ModelFamily } from './shared/model-family.ts'
import type { ModelNodes } from './shared/model-nodes.ts'

/** The config of a model of any family. */
export type ModelConfig = LlamaConfig | Gpt2Config | GemmaConfig

const familyByName = { llama: llamaFamily, gpt2: gpt2Family, gemma: gemmaFamily }
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
  const families = Object.values(familyByName)
  const family = families.find(({ modelTypes }) => modelTypes.includes(model_type))
  if (family === undefined) {
    const known = families.flatMap(({ modelTypes }) => modelTypes)
    return refuseKey('model_type', model_type, known.join(', '))
  }
  return family.parseConfig(json)
}

/** The config.json that `parseModelConfig` reads back into `config`. */
export function modelConfigJson(config: ModelConfig): Record<string, unknown> {
  return familyOf(config).configJson(config)
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

/** Weights of a new model. */
export function initialiseModel(config: ModelConfig, seed: number): Map<string, Tensor> {
  return familyOf(config).initialise(config, seed)
}
