import type { Tensor } from '../../../formats/tensor.ts'
import type { GraphNode } from '../../graph/index.ts'
import type { ModelNodes } from './model-nodes.ts'

/** A model folder that is not supported; the message names the config.json key or the tensor. */
export class UnsupportedModelError extends Error {
  override readonly name: string = 'UnsupportedModelError'
}

/** Config values that all families share. */
export interface CommonConfig {
  readonly vocabularySize: number
  readonly hiddenSize: number
  readonly layers: number
  readonly heads: number
  /** Heads of keys and values; a divisor of `heads` (grouped-query attention). */
  readonly keyValueHeads: number
  readonly headSize: number
  /** Maximum sequence length of the model. */
  readonly maxPositions: number
  /** Whether the output head is the embedding table. */
  readonly tiedHead: boolean
  /** c of c · tanh(logit / c), which bounds the logits (Gemma 2); unbounded if absent. */
  readonly logitSoftCap?: number
  readonly bosId?: number
  readonly eosId?: number
}

/** A linear module: y = x Wᵀ (+ bias), with W [outFeatures, inFeatures]. */
export interface LinearModule {
  readonly inFeatures: number
  readonly outFeatures: number
  readonly bias: boolean
}

/** Tensors in checkpoints that are not parameters, and the reason why they are ignored. */
export interface IdleTensors {
  readonly reason: string
  isIdle(name: string, shape: readonly number[]): boolean
}

/** The head that TRL's PPO adds: it reads the last hidden states and changes no logits. */
export const VALUE_HEAD: IdleTensors = {
  reason: 'estimates rewards from hidden states and changes none of them',
  isIdle: (name) => name.startsWith('v_head.')
}

/** One architecture: everything that loading, training, evaluation and generation need. */
export interface ModelFamily<Config extends CommonConfig> {
  readonly name: string
  /** Its values of `model_type` in config.json. */
  readonly modelTypes: readonly string[]
  /** Whether its checkpoints store the weights of linear modules as [in, out] (PEFT's `fan_in_fan_out`). */
  readonly fanInFanOut: boolean
  /** @throws {UnsupportedModelError} naming the key that is missing, malformed or not supported */
  parseConfig(json: unknown): Config
  /** The config.json that `parseConfig` reads back. */
  configJson(config: Config): Record<string, unknown>
  /** Shape of every parameter by its Hugging Face name. */
  parameterShapes(config: Config): Map<string, readonly number[]>
  /** Prefix of the names of all parameters except the head's: `model.`. */
  prefix(config: Config): string
  /** Name, after the prefix, of a parameter in every checkpoint. It is used to detect a different prefix. */
  readonly landmark: string
  /** Tensors in checkpoints that are not parameters and have no effect. */
  idleTensors(config: Config): readonly IdleTensors[]
  /** The linear modules that LoRA can adapt, by module name, in the order of the forward pass. */
  linearModules(config: Config): Map<string, LinearModule>
  /** Name of the embedding table [vocabulary, hidden]. */
  embedding(config: Config): string
  /** Name of the parameter that the output head reads. */
  headParameter(config: Config): string
  /**
   * The forward pass up to the final norm.
   *
   * @param inputIds int32 [batch, length]
   * @returns [batch · length, hiddenSize]
   */
  hidden(config: Config, inputIds: GraphNode, model: ModelNodes): GraphNode
  /** Initial weights of a new model. */
  initialise(config: Config, seed: number): Map<string, Tensor>
}
