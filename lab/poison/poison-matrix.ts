import {
  type BaseModel,
  createOnnxRuntimeExecutor,
  createUpdateEvaluator,
  expandTargetModules
} from '../../src/model/index.ts'
import { validationSettings } from '../../src/node/config/groups/validation.ts'
import { TRAINING_DEFAULTS } from '../../src/node/config/index.ts'
import { tokensAnUpdate } from '../../src/node/driver/held-out-text.ts'
import { maximumFaulty } from '../../src/protocol/index.ts'
import { loadCorpus } from '../experiments/corpus.ts'
import { createHeldOutScorer, meanLoss } from '../experiments/held-out.ts'
import { createLocalTrainer } from '../experiments/local-training.ts'
import { createMembers } from '../experiments/members.ts'
import { type ExperimentSettings, experimentSettings } from '../experiments/settings.ts'
import type { FinishedRun, FinishedRuns } from './finished-runs.ts'
import { keepBackText } from './keep-back-text.ts'
import type { PoisonAttack } from './poison-attacks.ts'
import type { PoisonDefence } from './poison-defences.ts'
import { type PoisonMember, runPoisoned } from './poison-run.ts'

/** How members train: in short rounds, as in the experiments, or as a peer does by default. */
export const TRAININGS = ['short', 'peer'] as const
export type Training = (typeof TRAININGS)[number]

/** The runs to execute. */
export interface PoisonMatrix {
  readonly model: string
  readonly training: Training
  readonly members: number
  readonly rounds: number
  readonly seed: number
  readonly attacks: readonly PoisonAttack[]
  readonly defences: readonly PoisonDefence[]
  readonly margin: number
}

/** A run, with the result of the honest members alone without a defence. */
export interface PoisonRow extends FinishedRun {
  readonly honestLoss: number
}

const RANK = 8
const LINEAR = ['q_proj', 'k_proj', 'v_proj', 'o_proj', 'gate_proj', 'up_proj', 'down_proj']
const { heldOutTokens } = validationSettings.parse({})

function settingsOf(base: BaseModel, training: Training, members: number): ExperimentSettings {
  const short = { ...experimentSettings(base, false), members }
  if (training === 'short') return short
  const { steps, batchSize, sequenceLength, learningRate } = TRAINING_DEFAULTS
  return {
    ...short,
    ...{ targetModules: LINEAR, stepsPerRound: steps, batchSize, sequenceLength, learningRate }
  }
}

/** Every finished run whose counterpart with only honest members is finished too. */
export function finishedRows(runs: readonly FinishedRun[]): PoisonRow[] {
  return runs.flatMap((run) => {
    const honest = runs.find(
      (each) =>
        each.attack === 'none' &&
        each.defence === 'none' &&
        (['model', 'training', 'members', 'rounds', 'seed'] as const).every((key) => each[key] === run[key])
    )
    return honest === undefined ? [] : [{ ...run, honestLoss: honest.loss }]
  })
}

/** Executes the missing runs of a matrix, each attack under each defence. */
export async function makeMatrix(
  base: BaseModel,
  matrix: PoisonMatrix,
  finished: FinishedRuns,
  onRow: (row: PoisonRow) => void,
  note: (line: string) => void
): Promise<PoisonRow[]> {
  const { model, training, members, rounds, seed, margin } = matrix
  const settings = settingsOf(base, training, members)
  const domains = await loadCorpus(base, settings)
  const poisoners = maximumFaulty(members)
  // Only the honest members' domains are scored; the poisoners are the first members.
  const scorer = await createHeldOutScorer(base, domains.slice(poisoners), settings)
  const trainer = createLocalTrainer(base, settings)
  const modules = expandTargetModules(base.config, settings.targetModules)
  const executor = createOnnxRuntimeExecutor({ threads: 1 })
  const evaluator = createUpdateEvaluator({
    ...{ config: base.config, baseFormat: 'f32', modules, rsLora: false, executor }
  })
  const laboratory = {
    ...{ base, settings, trainer, scorer, evaluator, margin, rank: RANK },
    firstRounds: new Map()
  }
  const keeping = domains.map((domain) =>
    keepBackText(domain, heldOutTokens, tokensAnUpdate(heldOutTokens, members))
  )
  /** With the check, members train without the documents that they keep back. */
  const membersFor = (isChecked: boolean): PoisonMember[] =>
    createMembers(
      base,
      isChecked ? keeping.map(({ domain }) => domain) : domains,
      'domain',
      seed,
      settings
    ).map((member, index) => ({ ...member, heldOut: keeping[index]!.heldOut }))
  const baseLoss = meanLoss(await scorer.score(base.weights))
  const runOnce = (attack: PoisonAttack, defence: PoisonDefence): Promise<FinishedRun> => {
    const count = attack === 'none' ? 0 : poisoners
    const isChecked = defence === 'default' || defence === 'reputation'
    const key = { model, training, members, poisoners: count, rounds, seed, attack, defence }
    return finished.once({ ...key, margin: isChecked ? margin : 0 }, async () => {
      const present = membersFor(isChecked).slice(poisoners - count)
      const run = { poisoners: count, attack, defence, rounds, seed }
      const result = await runPoisoned(laboratory, present, run, (round) =>
        note(`${training}, ${members} members, ${attack}, ${defence}: round ${round}/${rounds}`)
      )
      const { poisonStacked, honestLeftOut } = result
      return { loss: meanLoss(await scorer.score(result.weights)), baseLoss, poisonStacked, honestLeftOut }
    })
  }
  const rows: PoisonRow[] = []
  try {
    const { loss: honestLoss } = await runOnce('none', 'none')
    for (const defence of matrix.defences)
      for (const attack of matrix.attacks) {
        const row = { ...(await runOnce(attack, defence)), honestLoss }
        onRow(row)
        rows.push(row)
      }
  } finally {
    await trainer.dispose()
    await scorer.dispose()
    await evaluator.dispose()
  }
  return rows
}
