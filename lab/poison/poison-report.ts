import { CHARTER_DEFAULTS } from '../../src/node/consortium/charter-defaults.ts'
import { groupBy } from '../../src/protocol/encoding/group-by.ts'
import type { FinishedRun } from './finished-runs.ts'
import { POISON_ATTACKS, type PoisonAttack } from './poison-attacks.ts'
import { POISON_DEFENCES, type PoisonDefence } from './poison-defences.ts'

/** Share of the honest gain that poison may cost, and nats where it stays within honest norms. */
const GAIN_SHARE = 0.05
const NATS = 0.01
/** What is trained or turned round, and no larger than an honest update. */
const WITHIN_HONEST_NORMS: ReadonlySet<PoisonAttack> = new Set([
  'sign-flipped',
  'label-flipped',
  'targeted',
  'idle'
])

/** Runs that differ by seed alone. */
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

What f poisoners of n do to the held-out loss of the others, with and without each defence. Nats per token, mean over the domains of the honest members and over the seeds; in brackets the share of the honest gain that is lost, where the gain is what the honest members alone reach without a defence. The shipped model, rank 8, a rate of 0.003, a domain a member; a poisoner claims a million documents, and comes last in the sum. *short*: ten steps of 4 × 64 tokens a round, q and v projections; *peer*: as a peer trains that is told nothing, 40 steps of 8 × 128, all linear modules.

- *scaled*: 30 times what was trained. *cancelling*: factors of 2⁴⁰ whose product is 0. *label-flipped*: trained with labels turned round; *targeted*: the same on the text of one honest member. *adaptive*: the negative of what was trained, at 0.999 of the norm bound (30 times where there is none); *colluding*: all poisoners send the same such update, endorse one another's and nobody else's; *one-in-five* is adaptive in every fifth round and honest in the others. *idle*: an update of zero, which harms nothing and takes its share of the mean: what a member costs that adds nothing. *honest*: the same members without an attack, for comparison: what further members cost the others that only have other text.
- *norm-bound*: ten medians of the cut before. *factor-bound*: that, and the [bound on factors](../spec/aggregation.md#what-is-checked-is-what-is-computed). *clip*: the clipped stack, where everything is endorsed. *no-check*: both bounds on the least of five medians, and the clipped stack. *default*: what a new charter has, which is that and the [held-out check](held-out-margin.md) by every honest member, on what it keeps back of its own documents. *reputation*: the default, and authors are left out for the harm that they did in earlier rounds; [tried out](poison-reputation.md), and in no charter.

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

${seeds === 1 ? 'One seed' : `Up to ${seeds} seeds`}. Base ${baseLoss.toFixed(4)}, the honest alone ${honestLoss.toFixed(4)}.

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

The aim is at most 5 % of the honest gain, or at most 0.01 nats where the poison stays within honest norms (sign-flipped, label-flipped, targeted, idle). In brackets: nats above the honest alone, and the share of their gain.

${lines.join('\n')}

Why what is missed is missed: a check on text sees what an update does to *that* text. The negative of an update from unlike text does to it what the update itself would, with the other sign: often nothing, and as often good; the harm is to the author's own kind of text, which others do not have. An update that is trained with labels turned round in a few small steps lowers the loss of some members at first. Neither can be told from honest updates of unlike members by those who have other text, at a margin that refuses no honest one ([measured](held-out-margin.md)). What clipping leaves them is the size and weight of one ordinary member. Even *idle*, an update of zero, costs the honest their share of the mean that it takes: where that alone is above the aim, no check of harm can reach it, and a member whose text nobody else has is as useless to the others as one that sends nothing. Other signs of poison, the direction of an update and what it does at several times its weight, [were measured](poison-signals.md): none separates these from honest updates. What does, in part, is [harm that is added up over the rounds](poison-reputation.md).
`
}

function isReached(cell: Cell): boolean {
  const worse = cell.loss - cell.honestLoss
  return (
    worse <= GAIN_SHARE * (cell.baseLoss - cell.honestLoss) ||
    (WITHIN_HONEST_NORMS.has(cell.attack) && worse <= NATS)
  )
}

/** What the default costs where nobody poisons. */
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
  return `## The price without a poisoner

Loss of the default above plain FLoRA (no bounds, no clipping, no check, nothing kept back), by seed; and how far the losses of plain FLoRA itself lie apart between seeds.

| training | members | rounds | seeds | plain | default above it, mean | by seed | plain's own spread |
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
