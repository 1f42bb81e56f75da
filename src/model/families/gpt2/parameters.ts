import type { LinearModule } from '../shared/model-family.ts'
import type { Gpt2Config } from './config.ts'

/** Omitted in OpenAI's own checkpoints. */
export const PREFIX = 'transformer.'
export const TOKEN_EMBEDDING = `${PREFIX}wte.weight`
export const POSITION_EMBEDDING = `${PREFIX}wpe.weight`
export const FINAL_NORM = `${PREFIX}ln_f`
export const OUTPUT_HEAD = 'lm_head.weight'

/** Name of layer `index`, the prefix of its modules' names. */
export function layerName(index: number): string {
  return `${PREFIX}h.${index}`
}

/** The linear modules that LoRA can adapt, by module name, in the order of the forward pass. */
export function gpt2LinearModules({
  hiddenSize,
  intermediateSize,
  layers
}: Gpt2Config): Map<string, LinearModule> {
  const modules = new Map<string, LinearModule>()
  for (let index = 0; index < layers; index++) {
    const put = (name: string, inFeatures: number, outFeatures: number): void => {
      modules.set(`${layerName(index)}.${name}`, { inFeatures, outFeatures, bias: true })
    }
    put('attn.c_attn', hiddenSize, 3 * hiddenSize)
    put('attn.c_proj', hiddenSize, hiddenSize)
    put('mlp.c_fc', hiddenSize, intermediateSize)
    put('mlp.c_proj', intermediateSize, hiddenSize)
  }
  return modules
}

/** Shape of every parameter by its Hugging Face name; linear weights as [out, in], unlike on disk. */
export function gpt2ParameterShapes(config: Gpt2Config): Map<string, readonly number[]> {
  const { vocabularySize, hiddenSize, maxPositions, layers, tiedHead } = config
  const shapes = new Map<string, readonly number[]>([
    [TOKEN_EMBEDDING, [vocabularySize, hiddenSize]],
    [POSITION_EMBEDDING, [maxPositions, hiddenSize]]
  ])
  for (const [name, { inFeatures, outFeatures }] of gpt2LinearModules(config)) {
    shapes.set(`${name}.weight`, [outFeatures, inFeatures])
    shapes.set(`${name}.bias`, [outFeatures])
  }
  const norms = Array.from({ length: layers }, (_, index) => layerName(index)).flatMap((layer) => [
    `${layer}.ln_1`,
    `${layer}.ln_2`
  ])
  for (const norm of [...norms, FINAL_NORM])
    shapes.set(`${norm}.weight`, [hiddenSize]).set(`${norm}.bias`, [hiddenSize])
  if (!tiedHead) shapes.set(OUTPUT_HEAD, [vocabularySize, hiddenSize])
  return shapes
}
