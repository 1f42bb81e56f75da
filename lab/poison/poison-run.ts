import { type LoraAdapter, mergeAdapter, type StackMember, stackAdapters } from '../../src/adapter/index.ts'
import { combineSeeds, type TokenizedExample } from '../../src/data/index.ts'
import type { TensorMap } from '../../src/formats/index.ts'
import {
  type BaseModel,
  expandTargetModules,
  holdWeights,
  type UpdateEvaluator
} from '../../src/model/index.ts'
import { baseNorm } from '../../src/node/consortium/base-norm.ts'
import { maximumFaulty } from '../../src/protocol/index.ts'
import { flipLabels } from '../experiments/attacks.ts'
import { withModules } from '../experiments/federated-run.ts'
import type { HeldOutScorer } from '../experiments/held-out.ts'
import type { LocalTrainer } from '../experiments/local-training.ts'
import type { ExperimentMember } from '../experiments/members.ts'
import { adapterDigest, freshAdapter } from '../experiments/methods.ts'
import type { ExperimentSettings } from '../experiments/settings.ts'
import { endorsedByQuorum, type Judge } from './endorsements.ts'
import { flipsLabels, type PoisonAttack, poison } from './poison-attacks.ts'
import { type Defending, type PoisonDefence, startDefence } from './poison-defences.ts'
import { Reputation } from './reputation.ts'

/** State shared by runs: one model, compiled once. */
export interface PoisonLaboratory {
  readonly base: BaseModel
  readonly settings: ExperimentSettings
  readonly rank: number
  readonly trainer: LocalTrainer
  readonly scorer: HeldOutScorer
  readonly evaluator: UpdateEvaluator
  readonly margin: number
  /** Cache of adapters trained from the base itself: runs share their first round. */
  readonly firstRounds: Map<string, LoraAdapter>
}

/** A member, and the text on which it judges others. */
export interface PoisonMember extends ExperimentMember {
  readonly heldOut: TokenizedExample
}

/** One run. */
export interface PoisonRun {
  /** Number of poisoners, which are the first members. */
  readonly poisoners: number
  readonly attack: PoisonAttack
  readonly defence: PoisonDefence
  readonly rounds: number
  readonly seed: number
}

/** Result of a run. */
export interface PoisonResult {
  readonly weights: TensorMap
  /** Number of poisoned updates that were stacked, and of honest updates that were not. */
  readonly poisonStacked: number
  readonly honestLeftOut: number
}

/** Author bytes above those of any honest member. */
const POISONERS_FROM = 128
/** Number of documents that a poisoner claims, the maximum of a charter. */
const CLAIMED = 1_000_000

/**
 * Runs a federation with some poisoners. A round is void if its stack or merge is not finite, or if at most f members
 * are endorsed. Deterministic on one machine.
 */
export async function runPoisoned(
  laboratory: PoisonLaboratory,
  members: readonly PoisonMember[],
  { poisoners, attack, defence, rounds, seed }: PoisonRun,
  onRound: (round: number) => void
): Promise<PoisonResult> {
  const { base, settings } = laboratory
  const names = expandTargetModules(base.config, settings.targetModules)
  let modules: TensorMap = new Map(names.map((name) => [name, base.weights.get(`${name}.weight`)!]))
  const judges = members.map(({ heldOut }, k) => ({ heldOut: k < poisoners ? undefined : heldOut }))
  const reputation = new Reputation(judges)
  const defending = startDefence(defence, baseNorm(base, settings.targetModules))
  let poisonStacked = 0
  let honestLeftOut = 0
  for (let round = 1; round <= rounds; round++) {
    const trained: StackMember[] = []
    for (const [k, member] of members.entries()) {
      const isPoisoner = k < poisoners
      const text = isPoisoner && attack === 'targeted' ? members[poisoners]! : member
      const flipped = isPoisoner && flipsLabels(attack)
      const { isChecked: keepsBack } = defending
      const training = { modules, round, seed, flipped, keepsBack }
      const adapter = await trainMember(laboratory, member.index, text, training)
      const samples = isPoisoner && attack !== 'honest' ? CLAIMED : member.samples
      // Poisoners come last in the order of the sum, where cancelling factors erase what came before.
      const author = isPoisoner ? Uint8Array.of(POISONERS_FROM + k) : member.author
      trained.push({ author, samples, adapter })
    }
    const common = trained[0]!.adapter
    const sent = trained.map((member, k) =>
      k < poisoners
        ? {
            ...member,
            adapter: poison(member.adapter, attack, { round, boundOf: defending.boundOf, common })
          }
        : member
    )
    const judged = { modules, defending, attack, judges, reputation }
    const cut = await endorsed(laboratory, sent, judged)
    const isVoid = cut.length <= maximumFaulty(members.length)
    const merged = isVoid ? undefined : stackAndMerge(modules, cut, defending.clip)
    const honest = cut.filter(({ author }) => author[0]! < POISONERS_FROM).length
    poisonStacked += merged === undefined ? 0 : cut.length - honest
    honestLeftOut += members.length - poisoners - (merged === undefined ? 0 : honest)
    if (merged !== undefined) {
      modules = merged
      defending.sealed(cut)
    }
    onRound(round)
  }
  return { weights: withModules(base.weights, modules), poisonStacked, honestLeftOut }
}

interface Endorsing {
  readonly modules: TensorMap
  readonly defending: Defending
  readonly attack: PoisonAttack
  readonly judges: readonly Judge[]
  readonly reputation: Reputation
}

/** The updates that make up the cut. */
async function endorsed(
  { base, evaluator, margin }: PoisonLaboratory,
  sent: readonly StackMember[],
  { modules, defending, attack, judges, reputation }: Endorsing
): Promise<StackMember[]> {
  const sound = defending.sound(sent)
  if (!defending.isChecked) return sound
  const judging = {
    ...{ evaluator, margin, attack, clipNormOf: defending.clipNormOf },
    weights: holdWeights(base.config, withModules(base.weights, modules), 'f32')
  }
  const candidates = sent.map((member) => (sound.includes(member) ? member : undefined))
  const cut = await endorsedByQuorum(candidates, judges, judging)
  if (!defending.isReputed) return cut
  const leftOut = reputation.leftOut().map((author) => sent[author]!)
  await reputation.note(candidates, judging)
  return cut.filter((member) => !leftOut.includes(member))
}

function stackAndMerge(
  modules: TensorMap,
  cut: readonly StackMember[],
  clip: 'median' | 'none'
): TensorMap | undefined {
  const stack = stackAdapters(cut, { clip })
  if (!stack.finite) return undefined
  const merged = mergeAdapter(modules, stack.adapter)
  return merged.finite ? merged.modules : undefined
}

interface TrainingRound {
  readonly modules: TensorMap
  readonly round: number
  readonly seed: number
  readonly flipped: boolean
  /** Whether the text lacks what members keep back: another first round then. */
  readonly keepsBack: boolean
}

async function trainMember(
  { base, settings, rank, trainer, firstRounds }: PoisonLaboratory,
  index: number,
  text: ExperimentMember,
  { modules, round, seed, flipped, keepsBack }: TrainingRound
): Promise<LoraAdapter> {
  const start = freshAdapter(base, settings, rank, combineSeeds(combineSeeds(seed, round), index))
  const key = [seed, index, text.index, flipped, keepsBack, adapterDigest(start)].join(' ')
  const known = round === 1 ? firstRounds.get(key) : undefined
  if (known !== undefined) return known
  const session = trainer.begin(withModules(base.weights, modules), start)
  try {
    await session.advance(settings.stepsPerRound, (step) => {
      const batch = text.batches.nextBatch((round - 1) * settings.stepsPerRound + step)
      return flipped ? flipLabels(batch, base.config.vocabularySize) : batch
    })
  } catch (error) {
    // Training on a ruined model may diverge. The member then sends nothing, as in a real round.
    if (!(error instanceof Error && error.message.startsWith('training diverged'))) throw error
    return start
  }
  if (round === 1) firstRounds.set(key, session.adapter)
  return session.adapter
}
