import type { LoraPair } from '../../adapter/pair/lora-adapter.ts'
import { createSeededRandom } from '../../data/order/seeded-random.ts'
import type { ModelConfig } from '../families/index.ts'
import { type LoraSettings, loraModules } from './lora-settings.ts'

/** Size and target modules of a fresh LoRA. */
export type LoraInitOptions = Pick<
  LoraSettings,
  'rank' | 'alpha' | 'targetModules' | 'rankPattern' | 'alphaPattern'
>

/**
 * Fresh LoRA pairs, sorted by module: A uniform within ±1/√in (PyTorch's `kaiming_uniform_` with a = √5, as PEFT does
 * it), drawn module after module from one generator; B zero, so that the model starts unchanged.
 */
export function initialiseLora(
  config: ModelConfig,
  options: LoraInitOptions,
  seed: number | Uint8Array
): LoraPair[] {
  const random = createSeededRandom(seed)
  return loraModules(config, options).map(({ module, rank, alpha, inFeatures, outFeatures }) => {
    const bound = 1 / Math.sqrt(inFeatures)
    const A = Float32Array.from({ length: rank * inFeatures }, () => (2 * random.uniform() - 1) * bound)
    return { module, rank, alpha, inFeatures, outFeatures, A, B: new Float32Array(outFeatures * rank) }
  })
}
