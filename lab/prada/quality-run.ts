import type { TensorMap } from '../../src/formats/index.ts'
import type { BaseModel } from '../../src/model/index.ts'
import type { TokenizedDomain } from '../experiments/corpus.ts'
import { type AdaptationPlan, adaptCentrally } from './adaptation.ts'
import { accuracy, choiceTexts, ENDING, makeChoices } from './choices.ts'
import type { Pair } from './pair.ts'
import { meanNats, type OffsetRows, steeredNats, tokenNats } from './quality.ts'
import { rowsOf, type TextRows, windowsOf } from './text-rows.ts'

/** Strengths of the offset to try. */
export const ALPHAS = [0, 0.25, 0.5, 0.75, 1, 1.25, 1.5, 2] as const

/** Scores of a model, or of the steered remote, on the held-out text. */
export interface Scores {
  /** Nats per token, the mean over the domains. */
  readonly nats: number
  /** Nats per token of each domain. */
  readonly domains: readonly number[]
  /** Share of correct answers to the multiple-choice questions. */
  readonly accuracy: number
}

/** The scores of one seed. */
export interface QualityRun {
  readonly proxy: Scores
  readonly adapted: Scores
  readonly remote: Scores
  /** Fine-tuned centrally on as much text as all members read together: the target for the offset. */
  readonly central: Scores
  /** Fine-tuned centrally with the same computation as all members: a fraction of the text, since a step costs more. */
  readonly centralOfEqualComputing: Scores
  /** Steered by a proxy that was fine-tuned centrally on as much text, by alpha: shows the cost of federation. */
  readonly steeredByCentralProxy?: readonly Scores[]
  /** By alpha, in the order of `ALPHAS`. */
  readonly steered: readonly Scores[]
}

/** Texts to score, the same for every seed. */
export interface ScoredTexts {
  readonly windows: readonly (readonly (readonly number[])[])[]
  readonly choices: readonly (readonly number[])[]
  /** Size of the shared vocabulary. */
  readonly size: number
}

const QUESTIONS_PER_DOMAIN = 30
const QUESTION_SEED = 1

export function scoredTexts(domains: readonly TokenizedDomain[], context: number, size: number): ScoredTexts {
  return {
    windows: domains.map(({ heldOut }) => windowsOf(heldOut, context)),
    choices: domains.flatMap(({ heldOut }) =>
      choiceTexts(makeChoices(heldOut, QUESTIONS_PER_DOMAIN, QUESTION_SEED))
    ),
    size
  }
}

/** Rows of a model for all texts. */
export interface ModelRows {
  readonly windows: readonly TextRows[]
  readonly choices: TextRows
}

export async function modelRows(base: BaseModel, weights: TensorMap, texts: ScoredTexts): Promise<ModelRows> {
  const windows: TextRows[] = []
  for (const domain of texts.windows) windows.push(await rowsOf(base, weights, domain))
  return { windows, choices: await rowsOf(base, weights, texts.choices, ENDING) }
}

/** Inputs of the scoring of a seed. */
export interface QualityOptions {
  readonly texts: ScoredTexts
  /** Rows of the models without adaptation. */
  readonly unadapted: { readonly proxy: ModelRows; readonly remote: ModelRows }
  /** Plan for central fine-tuning of the remote. */
  readonly central: Omit<AdaptationPlan, 'rounds'>
  /** Plan for central fine-tuning of the proxy, which shows the cost of federation. */
  readonly ofProxy: Omit<AdaptationPlan, 'rounds'>
  /** Number of steps for equal computation, and for equal text. */
  readonly steps: readonly [number, number]
  /** Whether the proxy is also fine-tuned centrally. */
  readonly withCentralProxy: boolean
}

/**
 * Scores the four models and the steered remote. The remote is also fine-tuned centrally, on all members' text, as the
 * target for the offset.
 *
 * @param adapted weights of the proxy that the consortium has adapted
 */
export async function runQuality(
  { proxy, remote }: Pair,
  domains: readonly TokenizedDomain[],
  adapted: TensorMap,
  { texts, unadapted, central, ofProxy, steps, withCentralProxy }: QualityOptions,
  onStep: (done: string) => void
): Promise<QualityRun> {
  const [equalComputing, equalText] = await adaptCentrally(remote, domains, central, steps, onStep)
  const adaptedRows = await modelRows(proxy, adapted, texts)
  const steeredBy = (rows: ModelRows): Scores[] =>
    ALPHAS.map((alpha) => steeredScores(unadapted.remote, unadapted.proxy, rows, texts, alpha))
  const centralProxy = withCentralProxy
    ? await adaptCentrally(proxy, domains, ofProxy, [steps[1]], onStep)
    : undefined
  return {
    proxy: scoresOf(unadapted.proxy, texts),
    adapted: scoresOf(adaptedRows, texts),
    remote: scoresOf(unadapted.remote, texts),
    central: scoresOf(await modelRows(remote, equalText!, texts), texts),
    centralOfEqualComputing: scoresOf(await modelRows(remote, equalComputing!, texts), texts),
    ...(centralProxy !== undefined && {
      steeredByCentralProxy: steeredBy(await modelRows(proxy, centralProxy[0]!, texts))
    }),
    steered: steeredBy(adaptedRows)
  }
}

function scoresOf(rows: ModelRows, { windows, choices, size }: ScoredTexts): Scores {
  const domains = rows.windows.map((domain, index) => meanNats(tokenNats(domain, windows[index]!, size)))
  return { nats: mean(domains), domains, accuracy: accuracy(tokenNats(rows.choices, choices, size)) }
}

function steeredScores(
  remote: ModelRows,
  base: ModelRows,
  adapted: ModelRows,
  { windows, choices, size }: ScoredTexts,
  alpha: number
): Scores {
  const at = (index: number): OffsetRows => ({
    remote: remote.windows[index]!,
    base: base.windows[index]!,
    adapted: adapted.windows[index]!
  })
  const domains = windows.map((texts, index) => meanNats(steeredNats(at(index), texts, size, alpha)))
  const answers = { remote: remote.choices, base: base.choices, adapted: adapted.choices }
  return { nats: mean(domains), domains, accuracy: accuracy(steeredNats(answers, choices, size, alpha)) }
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length
}

/**
 * Share of the gap between the remote and a centrally fine-tuned one that the offset closes.
 *
 * @param central the one trained on as much text if absent
 */
export function gapClosed(
  { remote, steered, ...run }: QualityRun,
  alpha: number,
  central: Scores = run.central
): number {
  const prada = steered[ALPHAS.indexOf(alpha as (typeof ALPHAS)[number])]!
  return (remote.nats - prada.nats) / (remote.nats - central.nats)
}
