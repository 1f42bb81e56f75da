import { groupBy } from '../../src/protocol/encoding/group-by.ts'
import { quorumSize } from '../../src/protocol/index.ts'
import { type Measurement, SENT, type Sent } from './margin-rounds.ts'

/** The effects of one kind of update in one federation. */
export interface MarginRow {
  readonly federation: string
  readonly members: number
  readonly rounds: number
  readonly sent: Sent
  /** Updates, each on the text of every member but its author. */
  readonly updates: number
  /** Of all single judgements, nats per token: clipped and at full weight. */
  readonly least: number
  readonly median: number
  readonly most: number
  /**
   * The lowest and the median, over the updates, of the harm that decides: where it is above the margin, too many
   * members refuse for a quorum.
   */
  readonly leastDecisive: number
  readonly medianDecisive: number
  /** Largest harm at the update's share of the stack. */
  readonly mostAtShare: number
  /** Share of the updates that a quorum does not endorse, and of the single judgements that refuse, at the margin. */
  readonly refusedUpdates: number
  readonly refusals: number
}

/** A row for each kind of update. */
export function marginRows(
  federation: string,
  members: number,
  found: readonly Measurement[],
  margin: number
): MarginRow[] {
  const others = found.filter(({ author, judge }) => author !== judge)
  const rounds = new Set(found.map(({ round }) => round)).size
  return SENT.flatMap((sent) => {
    const judged = others.filter((each) => each.sent === sent)
    if (judged.length === 0) return []
    const decisive = decisiveHarms(judged, members, ({ harm }) => harm)
    const harms = sorted(judged.map(({ harm }) => harm))
    const shareAbove = (values: readonly number[]) =>
      values.filter((value) => !(value <= margin)).length / values.length
    return [
      {
        ...{ federation, members, rounds, sent, updates: decisive.length },
        ...{ least: harms[0]!, median: middle(harms), most: harms.at(-1)! },
        ...{ leastDecisive: decisive[0]!, medianDecisive: middle(decisive) },
        mostAtShare: Math.max(...judged.map(({ share }) => share)),
        ...{ refusedUpdates: shareAbove(decisive), refusals: shareAbove(harms) }
      }
    ]
  })
}

/** docs/results/held-out-margin.md. */
export function marginMarkdown(rows: readonly MarginRow[], margin: number, tokens: number): string {
  const nats = (value: number) => `${value < 0 ? '−' : '+'}${Math.abs(value).toFixed(3)}`
  const percent = (share: number) => `${(100 * share).toFixed(share > 0 && share < 0.01 ? 2 : 0)} %`
  const line = (row: MarginRow) =>
    `| ${row.federation} | ${row.rounds} | ${row.sent} | ${row.updates} | ${nats(row.least)} | ${nats(row.median)} | ${nats(row.most)} | ${nats(row.leastDecisive)} | ${nats(row.medianDecisive)} | ${nats(row.mostAtShare)} | ${percent(row.refusals)} | ${percent(row.refusedUpdates)} |`
  return `# The margin of the held-out check

Written by \`npm run lab -- held-out-margin\`; do not edit.

How single updates change the loss on other members' held-out text (the first ${tokens} tokens), in nats per token, for honest and poisoned updates. All rounds have only honest members; poisoned updates are tried on the model of a round, from one member in turn, and are not stacked. *Clipped and at full weight* is what [rule 2](../spec/rules.md#rule-2--validate) measures: the update is limited to the median norms of the last cut and merged as if it were the whole stack. *Decisive* is the harm on the text of the second most harmed of four members, the third most harmed of six: if it is above the margin, too many members refuse for a quorum. *At its share* is the harm of the same update at weight 1/n. *Refusals* are single judgements above the margin of ${margin}; *refused* are updates that no quorum endorses.

- *label-flipped*: trained with reversed labels on its author's own text; *targeted*: the same on the text of another member; *sign-flipped*: the negative of the honest update, which is also the result of clipping an update that was adapted to the norm bound.
- *testnet*: as \`loam testnet\` trains (40 steps of 8 × 128 tokens, all linear modules, ranks 16, 8, 4 and 2), one domain per member; *short*: as \`lab -- poison\` trains (10 steps of 4 × 64, q and v, rank 8); others: folders of records, trained like the testnet.

| federation | rounds | sent | updates | least | median | most | decisive, least | decisive, median | most, at its share | refusals | refused |
|---|---|---|---|---|---|---|---|---|---|---|---|
${rows.map(line).join('\n')}
`
}

/**
 * Of each update the harm that decides, in order: where it is above the margin, too many members refuse for a quorum.
 *
 * @param judged each update on the text of every member but its author
 */
export function decisiveHarms(
  judged: readonly Measurement[],
  members: number,
  harmOf: (measurement: Measurement) => number
): number[] {
  const byUpdate = groupBy(judged, ({ round, author }) => `${round} ${author}`)
  return sorted(
    [...byUpdate.values()].map((group) => sorted(group.map(harmOf)).at(-(members - quorumSize(members) + 1))!)
  )
}

/** Sorts in ascending order. */
export function sorted(values: readonly number[]): number[] {
  return [...values].sort((a, b) => a - b)
}

/** The lower median. */
export function middle(values: readonly number[]): number {
  return values[Math.floor((values.length - 1) / 2)]!
}
