import { decisiveHarms, middle, sorted } from './margin-report.ts'
import { AMPLIFICATIONS, type Measurement, SENT } from './margin-rounds.ts'

/** The measurements of one federation. */
export interface MeasuredFederation {
  readonly name: string
  readonly members: number
  readonly found: readonly Measurement[]
}

/**
 * docs/results/poison-signals.md: signals other than the margin that might distinguish poisoned from honest updates.
 */
export function signalsMarkdown(measured: readonly MeasuredFederation[]): string {
  const federations = measured.flatMap(({ found, ...federation }) => {
    const amplified = found.filter((each) => each.amplified.length > 0)
    return amplified.length === 0 ? [] : [{ ...federation, found: amplified }]
  })
  return `# Other signals of poison

Written by \`npm run lab -- held-out-margin\` with \`--signals\`; do not edit.

The [held-out check](held-out-margin.md) measures an update at full weight. Two other signals were measured on the same updates, in the same rounds: whether the update agrees with those of the other members, which every member could compute without any text; and its effect at several times its full weight, where the curvature of the loss shows more than its slope. A third signal, the harm of an update at its share added up over the rounds, separates more: [poison-reputation.md](poison-reputation.md).

- *Agreement*: the cosine between the clipped update and the sum of the other members' updates, with all modules as one vector. *Below every honest one* counts poisoned updates that a bound on the agreement could refuse without refusing an honest one.
- *Decisive harm*: the decisive harm of each update, in nats per token, at multiples of its full weight. *Above every honest one* counts poisoned updates that some margin could refuse without refusing an honest one, if the margin were chosen after the fact.

## Agreement

| federation | rounds | sent | updates | least | median | most | below every honest one |
|---|---|---|---|---|---|---|---|
${federations.flatMap(agreementLines).join('\n')}

## Decisive harm

| federation | rounds | sent | weight | least | median | most | above every honest one |
|---|---|---|---|---|---|---|---|
${federations.flatMap(harmLines).join('\n')}
`
}

function agreementLines({ name, found }: MeasuredFederation): string[] {
  const ofSent = (sent: string) =>
    sorted(
      found
        .filter((each) => each.sent === sent && each.judge === each.author)
        .map(({ agreement }) => agreement)
    )
  const lowest = ofSent('honest')[0]!
  return SENT.flatMap((sent) => {
    const values = ofSent(sent)
    if (values.length === 0) return []
    const below = sent === 'honest' ? '' : values.filter((value) => value < lowest).length
    return [`| ${name} | ${roundsOf(found)} | ${sent} | ${values.length} | ${range(values)} | ${below} |`]
  })
}

function harmLines({ name, members, found }: MeasuredFederation): string[] {
  const others = found.filter(({ author, judge }) => author !== judge)
  return [1, ...AMPLIFICATIONS].flatMap((weight, index) => {
    const harmOf = ({ harm, amplified }: Measurement) => (index === 0 ? harm : amplified[index - 1]!)
    const ofSent = (sent: string) =>
      decisiveHarms(
        others.filter((each) => each.sent === sent),
        members,
        harmOf
      )
    const highest = ofSent('honest').at(-1)!
    return SENT.flatMap((sent) => {
      const values = ofSent(sent)
      if (values.length === 0) return []
      const above =
        sent === 'honest' ? '' : `${values.filter((value) => value > highest).length} of ${values.length}`
      return [`| ${name} | ${roundsOf(found)} | ${sent} | ${weight} | ${range(values)} | ${above} |`]
    })
  })
}

function range(values: readonly number[]): string {
  return [values[0]!, middle(values), values.at(-1)!].map(signed).join(' | ')
}

function signed(value: number): string {
  return `${value < 0 ? '−' : '+'}${Math.abs(value).toFixed(3)}`
}

function roundsOf(found: readonly Measurement[]): number {
  return new Set(found.map(({ round }) => round)).size
}
