import type { BatchStream } from '../../src/data/index.ts'
import { applyAdapter } from '../../src/model/index.ts'
import { type Laboratory, SCORED_ROUNDS } from './federated-run.ts'
import { type DomainLosses, meanLoss } from './held-out.ts'
import type { ExperimentMember } from './members.ts'
import { freshAdapter } from './methods.ts'
import type { ResultPoint } from './results.ts'
import type { RunDescription } from './run-description.ts'
import { ranksOf } from './settings.ts'

/**
 * What every member achieves alone, with as many steps as in the federation: the mean over the members of their losses
 * on every domain. A member is scored on all domains, including its own, like the federation.
 */
export async function runStandalone(
  laboratory: Laboratory,
  members: readonly ExperimentMember[],
  run: RunDescription,
  onRound: (round: number) => void
): Promise<ResultPoint[]> {
  const ranks = ranksOf(laboratory.settings, run.ranks)
  const sums = new Map<number, Record<string, number>>()
  const alone = new Map<number, DomainLosses[]>()
  for (const [done, member] of members.entries()) {
    const points = await trainAlone(laboratory, member.batches, ranks[member.index]!, run, 1, SCORED_ROUNDS)
    for (const { round, losses } of points) {
      const sum = sums.get(round) ?? {}
      for (const [domain, loss] of Object.entries(losses))
        sum[domain] = (sum[domain] ?? 0) + loss / members.length
      sums.set(round, sum)
      alone.set(round, [...(alone.get(round) ?? []), losses])
    }
    onRound(((done + 1) * run.rounds) / members.length)
  }
  return [...sums].map(([round, losses]) => ({
    round,
    losses,
    mean: meanLoss(losses),
    members: alone.get(round)!
  }))
}

/**
 * One adapter on the text of all members together.
 *
 * @param stepsFactor steps per round, in multiples of a member's: the number of members for the same computation as the
 * federation, 1 for the same number of consecutive steps
 */
export async function runCentralised(
  laboratory: Laboratory,
  pooled: BatchStream,
  run: RunDescription,
  stepsFactor: number,
  onRound: (round: number) => void
): Promise<ResultPoint[]> {
  const rank = Math.max(...ranksOf(laboratory.settings, run.ranks))
  return trainAlone(laboratory, pooled, rank, run, stepsFactor, SCORED_ROUNDS, onRound)
}

async function trainAlone(
  { base, settings, trainer, scorer }: Laboratory,
  batches: BatchStream,
  rank: number,
  run: RunDescription,
  stepsFactor: number,
  scoredRounds: readonly number[],
  onRound: (round: number) => void = () => undefined
): Promise<ResultPoint[]> {
  const points: ResultPoint[] = []
  const steps = settings.stepsPerRound * stepsFactor
  const session = trainer.begin(base.weights, freshAdapter(base, settings, rank, run.seed))
  for (let round = 1; round <= run.rounds; round++) {
    await session.advance(steps, (step) => batches.nextBatch((round - 1) * steps + step))
    if (scoredRounds.includes(round) || round === run.rounds) {
      const losses: DomainLosses = await scorer.score(applyAdapter(base.weights, session.adapter))
      points.push({ round, losses, mean: meanLoss(losses) })
    }
    onRound(round)
  }
  return points
}
