import type { LlamaConfig } from './config.ts'

export const EMBEDDING = 'model.embed_tokens.weight'
export const FINAL_NORM = 'model.norm.weight'
export const OUTPUT_HEAD = 'lm_head.weight'

/** A linear module: y = x Wᵀ (+ bias), with W [outFeatures, inFeatures]. */
export interface LinearModule {
  readonly inFeatures: number
  readonly outFeatures: number
  readonly bias: boolean
}

/** Name of layer `index`, to which the names of its modules are appended. */
export function layerName(index: number): string {
  return `model.layers.${index}`
}

/** The linear modules that LoRA can adapt, by module name, in the order of the forward pass. */
export function linearModules(config: LlamaConfig): Map<string, LinearModule> {
  const queries = config.heads * config.headSize
  const keys = config.keyValueHeads * config.headSize
  const { hiddenSize, intermediateSize, attentionBias, outputBias } = config
  const modules = new Map<string, LinearModule>()
  for (let index = 0; index < config.layers; index++) {
    const put = (name: string, inFeatures: number, outFeatures: number, bias: boolean): void => {
      modules.set(`${layerName(index)}.${name}`, { inFeatures, outFeatures, bias })
    }
    put('self_attn.q_proj', hiddenSize, queries, attentionBias)
    put('self_attn.k_proj', hiddenSize, keys, attentionBias)
    put('self_attn.v_proj', hiddenSize, keys, attentionBias)
    put('self_attn.o_proj', queries, hiddenSize, outputBias)
    put('mlp.gate_proj', hiddenSize, intermediateSize, false)
    put('mlp.up_proj', hiddenSize, intermediateSize, false)
    put('mlp.down_proj', intermediateSize, hiddenSize, false)
  }
  return modules
}

/** Shape of every parameter by its Hugging Face name. */
export function parameterShapes(config: LlamaConfig): Map<string, readonly number[]> {
  const shapes = new Map<string, readonly number[]>([[EMBEDDING, [config.vocabularySize, config.hiddenSize]]])
  for (const [name, { inFeatures, outFeatures, bias }] of linearModules(config)) {
    shapes.set(`${name}.weight`, [outFeatures, inFeatures])
    if (bias) shapes.set(`${name}.bias`, [outFeatures])
  }
  for (let index = 0; index < config.layers; index++) {
    shapes.set(`${layerName(index)}.input_layernorm.weight`, [config.hiddenSize])
    shapes.set(`${layerName(index)}.post_attention_layernorm.weight`, [config.hiddenSize])
  }
  shapes.set(FINAL_NORM, [config.hiddenSize])
  if (!config.tiedHead) shapes.set(OUTPUT_HEAD, [config.vocabularySize, config.hiddenSize])
  return shapes
}

/** Name of the parameter that the output head reads. */
export function headParameter(config: LlamaConfig): string {
  return config.tiedHead ? EMBEDDING : OUTPUT_HEAD
}

/**
 * The linear modules that `patterns` name, sorted: a pattern is a module's full name or its end after a dot, such as
 * `q_proj` or `self_attn.q_proj`.
 *
 * @throws {Error} when a pattern names no linear module of the model
 */
export function expandTargetModules(config: LlamaConfig, patterns: readonly string[]): string[] {
  const names = [...linearModules(config).keys()]
  const found = new Set<string>()
  for (const pattern of patterns) {
    const matches = names.filter((name) => name === pattern || name.endsWith(`.${pattern}`))
    if (matches.length === 0) {
      const kinds = new Set(names.map((name) => name.slice(name.lastIndexOf('.') + 1)))
      throw new Error(
        `no linear module of the model is called ${pattern}; there are ${[...kinds].join(', ')}`
      )
    }
    for (const match of matches) found.add(match)
  }
  return [...found].sort()
}
