import { type AttackStrength, attackStrength, type Interval } from './attack.ts'
import { type LeakRun, TRAINING } from './leak-runs.ts'

/** One kind of run in the table. */
export interface LeakRow extends AttackStrength {
  readonly view: LeakRun['view']
  readonly rank: number
  readonly steps: number
  readonly documents: number
  readonly runs: number
  /** How much the loss fell, nats a token: on the member's own documents, and on others of the same kind. */
  readonly ownGain: number
  readonly otherGain: number
}

/** A row for each kind of run, in the order in which they come. */
export function leakRows(runs: readonly LeakRun[]): LeakRow[] {
  const kinds = new Map<string, LeakRun[]>()
  for (const run of runs) {
    const key = [run.view, run.rank, run.steps, run.documents].join()
    kinds.set(key, [...(kinds.get(key) ?? []), run])
  }
  return [...kinds.values()].map((group) => {
    const { view, rank, steps, documents } = group[0]!
    const mean = (of: (run: LeakRun) => number) => group.reduce((sum, run) => sum + of(run), 0) / group.length
    return {
      view,
      rank,
      steps,
      documents,
      runs: group.length,
      ...attackStrength(group, 1),
      ownGain: mean(({ ownLoss: [before, after] }) => before - after),
      otherGain: mean(({ otherLoss: [before, after] }) => before - after)
    }
  })
}

/** docs/results/leak.md. */
export function leakMarkdown(rows: readonly LeakRow[], model: string): string {
  const interval = ({ value, low, high }: Interval) =>
    `${value.toFixed(3)} (${low.toFixed(3)}–${high.toFixed(3)})`
  const line = (row: LeakRow) =>
    `| ${row.view} | ${row.rank} | ${row.steps} | ${row.documents} | ${row.runs} | ${interval(row.auc)} | ${interval(row.truePositives)} | ${row.ownGain.toFixed(3)} | ${row.otherGain.toFixed(3)} |`
  return `# What a shard leaks of its author's text

Written by \`npm run lab -- leak\`; do not edit. Base model: ${model}.

An attacker has the base model, one member's shard (or the exported adapter), and a document. It wants to know: was this document trained on? It scores the document by how much the shard lowers its loss, nats a token, against the base alone (the base's loss is what calibrates it: a document that is easy for every model is no evidence). Documents that were trained on are set against others of the same domain that were not. The trainer is a peer's: ${TRAINING.batchSize} rows of ${TRAINING.sequenceLength} tokens a step, learning rate ${TRAINING.learningRate}, ${TRAINING.targetModules.join(' and ')}, alpha ${TRAINING.alphaPerRank} times the rank. "Stack" is four members with a domain each.

- **AUC**: chance that a random document that was trained on scores above a random other; 0.5 is guessing.
- **TPR**: share of the trained documents that are found where 1 in 100 others is taken for one; 0.01 is guessing.
- In brackets: the range of 95 of 100 bootstrap samples, with runs and documents resampled. Runs differ in seed, domain and documents.
- **own, other**: how much the loss fell on the documents trained on, and on others of the domain.

| the attacker sees | rank | steps | documents | runs | AUC | TPR at 1 % FPR | own | other |
|---|---|---|---|---|---|---|---|---|
${rows.map(line).join('\n')}

## What it means

- Where an interval lies above 0.5 (AUC) or above 0.01 (TPR), the attacker does better than guessing: a member should take it that another member can tell some of the documents it trained on, if it has them to ask about. Where it does not, so few runs and documents show nothing either way.
- Rows with one run say nothing of other seeds or domains.
- The attack asks about documents that the attacker has already. Getting text out of a shard is another attack, which was not measured here.
- This is one simple attack, without shadow models, on a model of a million parameters and adapters on two kinds of modules. Stronger attacks find more, and larger models remember more: read the figures as a lower bound.
- Members see each other's shards before they are stacked: what the stack hides is hidden from those who come later alone.
- Loam adds no noise. What must not be known to have been trained on does not belong into the training text.
`
}
