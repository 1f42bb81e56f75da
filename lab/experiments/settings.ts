import type { BaseModel } from '../../src/model/index.ts'
import { expandTargetModules, linearModules } from '../../src/model/index.ts'

/** The settings common to all runs of an experiment; results with other settings are not comparable. */
export interface ExperimentSettings {
  readonly members: number
  readonly targetModules: readonly string[]
  /** Local updates per member and round. */
  readonly stepsPerRound: number
  readonly batchSize: number
  readonly sequenceLength: number
  readonly learningRate: number
  readonly weightDecay: number
  readonly clipNorm: number
  /** Concentration of the Dirichlet split. */
  readonly dirichletAlpha: number
  /** Tokens of every domain's held-out text that are scored, in windows of `context`. */
  readonly heldOutTokens: number
  readonly context: number
  /** Ranks of the members in turn, where they differ, and the rank of all where they do not. */
  readonly heterogeneousRanks: readonly number[]
  readonly homogeneousRank: number
}

/** Ranks of the paper (FLoRA, section 4.1), for ten members. */
const PAPER_RANKS = [64, 32, 16, 16, 8, 8, 4, 4, 4, 4]

/**
 * The experiment's settings on a base model. The learning rate is the best of 1e-3, 3e-3 and 1e-2 for FLoRA after ten
 * rounds on the shipped model with one seed; it was not tuned for the other rules. Alpha is 2r, hence every scale 2.
 */
export function experimentSettings(base: BaseModel, quick: boolean): ExperimentSettings {
  const targetModules = ['q_proj', 'v_proj']
  const widest = widestRank(base, targetModules)
  const ranks = PAPER_RANKS.map((rank) => Math.min(rank, widest))
  const members = quick ? 4 : ranks.length
  const used = quick ? ranks.slice(0, members).map((rank) => Math.ceil(rank / 8)) : ranks
  return {
    members,
    targetModules,
    stepsPerRound: quick ? 2 : 10,
    batchSize: quick ? 2 : 4,
    sequenceLength: quick ? 32 : 64,
    learningRate: 3e-3,
    weightDecay: 0,
    clipNorm: 1,
    dirichletAlpha: 0.5,
    heldOutTokens: quick ? 256 : 2048,
    context: Math.min(128, base.config.maxPositions),
    heterogeneousRanks: used,
    // The same total number of parameters, hence bytes, as the mixed ranks.
    homogeneousRank: Math.min(widest, Math.round(used.reduce((sum, rank) => sum + rank, 0) / members))
  }
}

/** The scale of every member's adapter: alpha = 2r. */
export const ALPHA_PER_RANK = 2

function widestRank({ config }: BaseModel, targetModules: readonly string[]): number {
  const modules = linearModules(config)
  const extents = expandTargetModules(config, targetModules).map((module) => {
    const { inFeatures, outFeatures } = modules.get(module)!
    return Math.min(inFeatures, outFeatures)
  })
  return Math.min(...extents)
}

/** How the members' ranks are assigned. */
export type RankSetting = 'homogeneous' | 'heterogeneous'

/** Ranks by member. */
export function ranksOf(settings: ExperimentSettings, setting: RankSetting): number[] {
  return setting === 'heterogeneous'
    ? [...settings.heterogeneousRanks]
    : settings.heterogeneousRanks.map(() => settings.homogeneousRank)
}
