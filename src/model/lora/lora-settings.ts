import { loraScale } from '../../adapter/pair/lora-scale.ts'
import { expandTargetModules, linearModules, type ModelConfig, moduleMatcher } from '../families/index.ts'

/** Which modules get LoRA factors, their ranks, and how they are applied. Biases are never trained. */
export interface LoraSettings {
  readonly rank: number
  readonly alpha: number
  /** Names or patterns, as `expandTargetModules` reads them: `q_proj`, `all-linear`, `layers.*.mlp.*`. */
  readonly targetModules: readonly string[]
  /** Ranks by pattern; of several that match a module, the first counts (PEFT's `rank_pattern`). */
  readonly rankPattern?: Readonly<Record<string, number>>
  /** Alphas by pattern (PEFT's `alpha_pattern`). */
  readonly alphaPattern?: Readonly<Record<string, number>>
  /** Whether the scale is alpha / √rank instead of alpha / rank; false if absent. */
  readonly rsLora?: boolean
  /** Dropout probability of A's inputs in training; 0 if absent. */
  readonly dropout?: number
}

/** A module and the size of its LoRA factors. */
export interface LoraModule {
  readonly module: string
  readonly inFeatures: number
  readonly outFeatures: number
  readonly rank: number
  readonly alpha: number
  /** ΔW = scale · B A. */
  readonly scale: number
}

/**
 * The modules that `settings` adapt, sorted by name.
 *
 * @throws {Error} when a pattern matches no module, a rank or alpha is not a positive number, or dropout is not in [0,
 * 1)
 */
export function loraModules(config: ModelConfig, settings: LoraSettings): LoraModule[] {
  const { rsLora = false, dropout = 0 } = settings
  if (!(dropout >= 0 && dropout < 1))
    throw new Error(`dropout must be at least 0 and below 1, got ${dropout}`)
  const modules = linearModules(config)
  const targets = expandTargetModules(config, settings.targetModules)
  const rankOf = byPattern(targets, settings.rankPattern, settings.rank)
  const alphaOf = byPattern(targets, settings.alphaPattern, settings.alpha)
  return targets.map((module) => {
    const [rank, alpha] = [rankOf(module), alphaOf(module)]
    if (!Number.isSafeInteger(rank) || rank < 1)
      throw new Error(`the rank of ${module} must be a positive integer, got ${rank}`)
    if (!(alpha > 0 && Number.isFinite(alpha)))
      throw new Error(`alpha of ${module} must be a positive number, got ${alpha}`)
    const { inFeatures, outFeatures } = modules.get(module)!
    return { module, inFeatures, outFeatures, rank, alpha, scale: loraScale({ rank, alpha }, rsLora) }
  })
}

function byPattern(
  targets: readonly string[],
  values: Readonly<Record<string, number>> = {},
  otherwise: number
): (module: string) => number {
  const matchers = Object.entries(values).map(([pattern, value]) => ({
    pattern,
    fits: moduleMatcher(pattern),
    value
  }))
  const idle = matchers.find(({ fits }) => !targets.some(fits))
  if (idle) throw new Error(`the pattern ${idle.pattern} matches none of the target modules`)
  return (module) => matchers.find(({ fits }) => fits(module))?.value ?? otherwise
}
