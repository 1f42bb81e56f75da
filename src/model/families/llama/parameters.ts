import type { LinearModule } from '../shared/model-family.ts'
import type { LlamaConfig } from './config.ts'

export const EMBEDDING = 'model.embed_tokens.weight'
export const FINAL_NORM = 'model.norm.weight'
export const OUTPUT_HEAD = 'lm_head.weight'

/** Name of layer `index`, to which the names of its modules are appended. */
export function layerName(index: number): string {
  return `model.layers.${index}`
}

/** The linear modules that LoRA can adapt, by module name, in the order of the forward pass. */
export function llamaLinearModules(config: LlamaConfig): Map<string, LinearModule> {
  const queries = config.heads * config.headSize
  const keys = config.keyValueHeads * config.headSize
  const { hiddenSize, intermediateSize, attentionBias, outputBias, feedForwardBias = false } = config
  const modules = new Map<string, LinearModule>()
  for (let index = 0; index < config.layers; index++) {
    const put = (name: string, inFeatures: number, outFeatures: number, bias: boolean): void => {
      modules.set(`${layerName(index)}.${name}`, { inFeatures, outFeatures, bias })
    }
    put('self_attn.q_proj', hiddenSize, queries, attentionBias)
    put('self_attn.k_proj', hiddenSize, keys, attentionBias)
    put('self_attn.v_proj', hiddenSize, keys, attentionBias)
    put('self_attn.o_proj', queries, hiddenSize, outputBias)
    put('mlp.gate_proj', hiddenSize, intermediateSize, feedForwardBias)
    put('mlp.up_proj', hiddenSize, intermediateSize, feedForwardBias)
    put('mlp.down_proj', intermediateSize, hiddenSize, feedForwardBias)
  }
  return modules
}

/** Shape of every parameter by its Hugging Face name. */
export function llamaParameterShapes(config: LlamaConfig): Map<string, readonly number[]> {
  const shapes = new Map<string, readonly number[]>([[EMBEDDING, [config.vocabularySize, config.hiddenSize]]])
  for (const [name, { inFeatures, outFeatures, bias }] of llamaLinearModules(config)) {
    shapes.set(`${name}.weight`, [outFeatures, inFeatures])
    if (bias) shapes.set(`${name}.bias`, [outFeatures])
  }
  for (let index = 0; index < config.layers; index++) {
    if (config.queryKeyNorm) {
      for (const kind of ['q', 'k'])
        shapes.set(`${layerName(index)}.self_attn.${kind}_norm.weight`, [config.headSize])
    }
    shapes.set(`${layerName(index)}.input_layernorm.weight`, [config.hiddenSize])
    shapes.set(`${layerName(index)}.post_attention_layernorm.weight`, [config.hiddenSize])
  }
  shapes.set(FINAL_NORM, [config.hiddenSize])
  if (!config.tiedHead) shapes.set(OUTPUT_HEAD, [config.vocabularySize, config.hiddenSize])
  return shapes
}
