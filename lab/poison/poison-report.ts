import { CHARTER_DEFAULTS } from '../../src/node/consortium/charter-defaults.ts'
import { groupBy } from '../../src/protocol/encoding/group-by.ts'
import type { FinishedRun } from './finished-runs.ts'
import { POISON_ATTACKS, type PoisonAttack } from './poison-attacks.ts'
import { POISON_DEFENCES, type PoisonDefence } from './poison-defences.ts'

/** Goals: the share of the honest gain that poison may cost, and nats if it stays within honest norms. */
const GAIN_SHARE = 0.05
const NATS = 0.01
/** Attacks whose updates are no larger than honest ones. */
const WITHIN_HONEST_NORMS: ReadonlySet<PoisonAttack> = new Set([
  'sign-flipped',
  'label-flipped',
  'targeted',
  'idle'
])

/** Runs that differ only in their seed. */
interface Cell {
  readonly attack: PoisonAttack
  readonly defence: PoisonDefence
  readonly runs: readonly FinishedRun[]
  /** Means over the seeds. */
  readonly loss: number
  readonly honestLoss: number
  readonly baseLoss: number
}

/** Cells of one training, size and number of rounds. */
interface Group {
  readonly training: string
  readonly members: number
  readonly rounds: number
  readonly cells: readonly Cell[]
}

/** docs/results/poison.md. */
export function poisonMarkdown(runs: readonly FinishedRun[]): string {
  const groups = groupsOf(
    runs.filter(
      ({ model, margin }) => model === '' && (margin === 0 || margin === CHARTER_DEFAULTS.heldOutMargin)
    )
  )
  const poisoned = groups.filter(({ cells }) => cells.some(({ attack }) => attack !== 'none'))
  return `# Poison

Written by \`npm run lab -- poison\`; do not edit.

How f poisoners among n members change the held-out loss of the others, with and without each defence. Losses are in nats per token, averaged over the domains of the honest members and over the seeds; in brackets is the lost share of the honest gain, which is the gain that the honest members reach alone without a defence. The shipped model, rank 8, learning rate 0.003, one domain per member; a poisoner claims a million documents and comes last in the sum. *short*: ten steps of 4 × 64 tokens per round, q and v projections; *peer*: as a peer trains by default, 40 steps of 8 × 128, all linear modules.

- *scaled*: 30 times the trained update. *cancelling*: factors of 2⁴⁰ whose product is 0. *label-flipped*: trained with reversed labels; *targeted*: the same on the text of one honest member. *adaptive*: the negative of the trained update, at 0.999 of the norm bound (30 times the update if there is none); *colluding*: all poisoners send the same adaptive update, and endorse only each other's; *one-in-five* is adaptive in every fifth round and honest in the others. *idle*: an update of zero, which does no harm but takes its share of the mean: the cost of a member that contributes nothing. *honest*: the same members without an attack, for comparison: the cost of further members whose text differs.
- *norm-bound*: ten medians of the previous cut. *factor-bound*: that, and the [bound on factors](../spec/aggregation.md#what-is-checked-is-what-is-computed). *clip*: the clipped stack, with everything endorsed. *no-check*: both bounds on the least of five medians, and the clipped stack. *default*: the defaults of a new charter, which are those of *no-check* and the [held-out check](held-out-margin.md) by every honest member, on the documents that it keeps back. *reputation*: the default, and authors are left out for the harm that their earlier updates did; an [experiment](poison-reputation.md), in no charter.

${poisoned.map(groupMarkdown).join('\n')}
${goalsMarkdown(poisoned)}
${priceMarkdown(groups)}`
}

function groupMarkdown({ training, members, rounds, cells }: Group): string {
  const defences = POISON_DEFENCES.filter((defence) => cells.some((cell) => cell.defence === defence))
  const attacks = POISON_ATTACKS.filter((attack) => cells.some((cell) => cell.attack === attack))
  const { baseLoss, honestLoss } = cells[0]!
  const seeds = Math.max(...cells.map(({ runs }) => runs.length))
  const line = (attack: PoisonAttack) => {
    const values = defences.map((defence) => {
      const cell = cells.find((each) => each.attack === attack && each.defence === defence)
      return cell === undefined ? '' : cellText(cell)
    })
    const checked = cells.find((each) => each.attack === attack && each.defence === 'default')
    return `| ${attack === 'none' ? 'no poisoner' : attack} | ${values.join(' | ')} | ${stackedText(checked)} |`
  }
  return `## ${members} members, ${rounds} rounds, ${training} training

${seeds === 1 ? 'One seed' : `Up to ${seeds} seeds`}. Base ${baseLoss.toFixed(4)}, the honest members alone ${honestLoss.toFixed(4)}.

| attack | ${defences.join(' | ')} | poisoned updates stacked, honest ones left out (default) |
|---|${defences.map(() => '---|').join('')}---|
${attacks.map(line).join('\n')}
`
}

function cellText(cell: Cell): string {
  const loss = Number.isFinite(cell.loss) ? cell.loss.toFixed(4) : 'not finite'
  return cell.attack === 'none' && cell.defence === 'none' ? loss : `${loss} (${percent(lostShare(cell))})`
}

function stackedText(cell: Cell | undefined): string {
  if (cell === undefined) return ''
  const sum = (of: (run: FinishedRun) => number) => cell.runs.reduce((total, run) => total + of(run), 0)
  const poisoned = sum(({ poisoners, rounds }) => poisoners * rounds)
  const honest = sum(
    ({ members, poisoners, rounds, attack }) =>
      rounds * (attack === 'none' ? honestOf(members) : members - poisoners)
  )
  return `${sum((run) => run.poisonStacked)} of ${poisoned}, ${sum((run) => run.honestLeftOut)} of ${honest}`
}

/** Members without their f: who is there in a run without a poisoner. */
function honestOf(members: number): number {
  return members - Math.floor((members - 1) / 3)
}

/** Which aims the default reaches. */
function goalsMarkdown(groups: readonly Group[]): string {
  const lines = groups.flatMap(({ training, members, rounds, cells }) => {
    const checked = cells.filter(
      ({ attack, defence }) => defence === 'default' && attack !== 'none' && attack !== 'honest'
    )
    const text = (isWanted: boolean) =>
      checked
        .filter((cell) => isReached(cell) === isWanted)
        .map((cell) => `${cell.attack} (${nats(cell.loss - cell.honestLoss)}, ${percent(lostShare(cell))})`)
        .join(', ') || 'none'
    if (checked.length === 0) return []
    const honest = cells.find(({ attack, defence }) => defence === 'default' && attack === 'honest')
    const beside =
      honest === undefined
        ? ''
        : ` Honest members in the place of the poisoners: ${nats(honest.loss - honest.honestLoss)}, ${percent(lostShare(honest))}; so an attack adds ${checked.map((cell) => `${cell.attack} ${nats(cell.loss - honest.loss)}`).join(', ')}.`
    return [
      `- **${members} members, ${rounds} rounds, ${training}**: reached ${text(true)}; missed ${text(false)}.${beside}`
    ]
  })
  if (lines.length === 0) return ''
  return `## Reached and missed

The goal is to lose at most 5 % of the honest gain, or at most 0.01 nats if the poison stays within honest norms (sign-flipped, label-flipped, targeted, idle). In brackets: nats above the honest members alone, and the share of their gain.

${lines.join('\n')}

Why some goals are missed: a check on text measures only the effect of an update on *that* text. The negative of an update from different text has the opposite effect of the update itself: often none, and as often a good one. The harm is to the author's own kind of text, which others do not have. A few small steps of training with reversed labels lower the loss of some members at first. Members with other text cannot distinguish either from honest updates of dissimilar members, at a margin that refuses no honest update ([measured](held-out-margin.md)). Clipping limits them to the size and weight of one ordinary member. Even *idle*, an update of zero, costs the honest members the share of the mean that it takes. If that alone exceeds the goal, no check of harm can reach it: a member whose text nobody else has is as useless to the others as one that sends nothing. Other signals of poison, the direction of an update and its effect at several times its weight, [were measured](poison-signals.md): none separates these from honest updates. [Harm added up over the rounds](poison-reputation.md) does in part.
`
}

function isReached(cell: Cell): boolean {
  const worse = cell.loss - cell.honestLoss
  return (
    worse <= GAIN_SHARE * (cell.baseLoss - cell.honestLoss) ||
    (WITHIN_HONEST_NORMS.has(cell.attack) && worse <= NATS)
  )
}

/** The cost of the defaults without poisoners. */
function priceMarkdown(groups: readonly Group[]): string {
  const lines = groups.flatMap(({ training, members, rounds, cells }) => {
    const none = cells.find(({ attack, defence }) => attack === 'none' && defence === 'none')
    const checked = cells.find(({ attack, defence }) => attack === 'none' && defence === 'default')
    if (none === undefined || checked === undefined) return []
    const differences = checked.runs.flatMap((run) => {
      const plain = none.runs.find(({ seed }) => seed === run.seed)
      return plain === undefined ? [] : [run.loss - plain.loss]
    })
    if (differences.length === 0) return []
    const mean = differences.reduce((sum, each) => sum + each, 0) / differences.length
    const losses = none.runs.map(({ loss }) => loss)
    const spread = losses.length < 2 ? '–' : (Math.max(...losses) - Math.min(...losses)).toFixed(4)
    return [
      `| ${training} | ${honestOf(members)} | ${rounds} | ${differences.length} | ${none.loss.toFixed(4)} | ${nats(mean)} | ${differences.map(nats).join(', ')} | ${spread} |`
    ]
  })
  if (lines.length === 0) return ''
  return `## The cost without a poisoner

Loss of the default above plain FLoRA (no bounds, no clipping, no check, nothing kept back), by seed, and the range of plain FLoRA's own losses between seeds.

| training | members | rounds | seeds | plain | default above plain, mean | by seed | range of plain |
|---|---|---|---|---|---|---|---|
${lines.join('\n')}
`
}

function groupsOf(runs: readonly FinishedRun[]): Group[] {
  const byGroup = groupBy(runs, ({ training, members, rounds }) => `${training} ${members} ${rounds}`)
  return [...byGroup.values()]
    .map((group) => {
      const { training, members, rounds } = group[0]!
      return { training, members, rounds, cells: cellsOf(group) }
    })
    .sort((a, b) => b.training.localeCompare(a.training) || a.rounds - b.rounds || a.members - b.members)
}

function cellsOf(runs: readonly FinishedRun[]): Cell[] {
  const honest = new Map(
    runs
      .filter(({ attack, defence }) => attack === 'none' && defence === 'none')
      .map(({ seed, loss }) => [seed, loss])
  )
  const byCell = groupBy(runs, ({ attack, defence, margin }) => `${attack} ${defence} ${margin}`)
  return [...byCell.values()].flatMap((group) => {
    const { attack, defence } = group[0]!
    const compared = group.filter(({ seed }) => honest.has(seed))
    if (compared.length === 0) return []
    const mean = (of: (run: FinishedRun) => number) =>
      compared.reduce((sum, run) => sum + of(run), 0) / compared.length
    return [
      {
        ...{ attack, defence, runs: compared },
        loss: mean(({ loss }) => loss),
        honestLoss: mean(({ seed }) => honest.get(seed)!),
        baseLoss: mean(({ baseLoss }) => baseLoss)
      }
    ]
  })
}

function lostShare({ loss, honestLoss, baseLoss }: Cell): number {
  return (loss - honestLoss) / (baseLoss - honestLoss)
}

function percent(share: number): string {
  return Number.isFinite(share) ? `${(100 * share).toFixed(1).replace('-', '−')} %` : 'all'
}

function nats(value: number): string {
  return `${value < 0 ? '−' : '+'}${Math.abs(value).toFixed(4)}`
}
