import type { LoraPair } from '../../adapter/lora-adapter.ts'
import { expandTargetModules, linearModules, type ModelConfig } from '../family/index.ts'
import { createSeededRandom } from '../seeded-random.ts'

/** Size and place of a fresh LoRA. */
export interface LoraInitOptions {
  readonly rank: number
  readonly alpha: number
  /** Full module names or endings such as `q_proj`. */
  readonly targetModules: readonly string[]
}

/**
 * Fresh LoRA pairs, sorted by module: A uniform within ±1/√in (PyTorch's `kaiming_uniform_` with a = √5, as PEFT does
 * it), drawn module after module from one generator; B zero, so that the model starts unchanged.
 */
export function initialiseLora(
  config: ModelConfig,
  options: LoraInitOptions,
  seed: number | Uint8Array
): LoraPair[] {
  const { rank, alpha } = options
  const random = createSeededRandom(seed)
  const modules = linearModules(config)
  return expandTargetModules(config, options.targetModules).map((module) => {
    const { inFeatures, outFeatures } = modules.get(module)!
    const bound = 1 / Math.sqrt(inFeatures)
    const A = Float32Array.from({ length: rank * inFeatures }, () => (2 * random.uniform() - 1) * bound)
    return { module, rank, alpha, inFeatures, outFeatures, A, B: new Float32Array(outFeatures * rank) }
  })
}
