import { type AttackStrength, attackStrength, type Interval } from './attack.ts'
import { type LeakRun, TRAINING } from './leak-runs.ts'

/** One kind of run in the table. */
export interface LeakRow extends AttackStrength {
  readonly view: LeakRun['view']
  readonly rank: number
  readonly steps: number
  readonly documents: number
  readonly runs: number
  /** Decrease of the loss, nats per token: on the member's own documents, and on others of the same kind. */
  readonly ownGain: number
  readonly otherGain: number
}

/** A row for each kind of run, in order of appearance. */
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
  return `# What a shard leaks about its author's text

Written by \`npm run lab -- leak\`; do not edit. Base model: ${model}.

An attacker has the base model, one member's shard (or the exported adapter), and a document. The question is whether the document was trained on. The attacker scores the document by how much the shard lowers its loss compared with the base alone, in nats per token (calibrating by the base's loss, since a document that is easy for every model proves nothing). Documents that were trained on are compared with others of the same domain that were not. The training is that of a peer: ${TRAINING.batchSize} rows of ${TRAINING.sequenceLength} tokens per step, learning rate ${TRAINING.learningRate}, ${TRAINING.targetModules.join(' and ')}, alpha ${TRAINING.alphaPerRank} times the rank. "Stack" means four members with one domain each.

- **AUC**: probability that a random training document scores above a random other document; 0.5 is guessing.
- **TPR**: share of the training documents that are identified at a false positive rate of 1 in 100; 0.01 is guessing.
- In brackets: the range of 95 % of the bootstrap samples, which resample runs and documents. Runs differ in seed, domain and documents.
- **own, other**: decrease of the loss on the training documents, and on others of the domain.

| the attacker sees | rank | steps | documents | runs | AUC | TPR at 1 % FPR | own | other |
|---|---|---|---|---|---|---|---|---|
${rows.map(line).join('\n')}

## What it means

- If an interval lies above 0.5 (AUC) or above 0.01 (TPR), the attacker does better than guessing: a member should assume that another member who has some of its training documents can recognise them. If it does not, these few runs and documents show nothing either way.
- Rows with one run say nothing about other seeds or domains.
- The attack concerns documents that the attacker already has. Extracting text from a shard is a different attack, which was not measured here.
- This is one simple attack, without shadow models, on a model of a million parameters and adapters on two kinds of modules. Stronger attacks find more, and larger models memorise more: treat the figures as a lower bound.
- Members see each other's shards before they are stacked: what the stack hides is hidden only from those who join later.
- Loam adds no noise. If it must remain secret that a text was trained on, keep it out of the training data.
`
}
