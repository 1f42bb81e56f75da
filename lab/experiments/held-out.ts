import type { TensorMap } from '../../src/formats/index.ts'
import { type BaseModel, createEvaluator } from '../../src/model/index.ts'
import type { TokenizedDomain } from './corpus.ts'
import type { ExperimentSettings } from './settings.ts'

/** Held-out loss by domain, nats per token. */
export type DomainLosses = Readonly<Record<string, number>>

/** Scores weights on every domain's held-out text. */
export interface HeldOutScorer {
  score(weights: TensorMap): Promise<DomainLosses>
  dispose(): Promise<void>
}

/** Compiles the scoring of every domain. */
export async function createHeldOutScorer(
  { config }: BaseModel,
  domains: readonly TokenizedDomain[],
  { context }: ExperimentSettings
): Promise<HeldOutScorer> {
  const evaluator = await createEvaluator({ config, context })
  return {
    async score(weights) {
      const losses: Record<string, number> = {}
      for (const { name, heldOut } of domains)
        losses[name] = (await evaluator.score({ weights, ids: heldOut })).nats
      return losses
    },
    dispose: () => evaluator.dispose()
  }
}

/** Mean over the domains with equal weights. */
export function meanLoss(losses: DomainLosses): number {
  const values = Object.values(losses)
  return values.reduce((sum, loss) => sum + loss, 0) / values.length
}
