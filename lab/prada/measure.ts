import type { TensorMap } from '../../src/formats/index.ts'
import {
  connectLogitsServer,
  createDecoderModel,
  createHttpTransport,
  type PradaComponents,
  pairProxy
} from '../../src/prada/index.ts'
import type { TokenizedDomain } from '../experiments/corpus.ts'
import type { ExperimentSettings } from '../experiments/settings.ts'
import { adaptTogether } from './adaptation.ts'
import { measureCommunication } from './communication.ts'
import { type Exactness, measureExactness } from './exactness.ts'
import { type Pair, proxyOf } from './pair.ts'
import { modelRows, type QualityRun, runQuality, scoredTexts } from './quality-run.ts'
import { startRemote } from './remote-process.ts'
import type { PradaResults } from './results.ts'
import { aloneSpeed, naiveSpeed, overLine, sessionSpeed } from './speed.ts'
import { trainingFlopsPerToken } from './training-flops.ts'

/** What to measure, and how much. */
export interface MeasurePlan {
  readonly remoteFolder: string
  readonly settings: ExperimentSettings
  readonly rank: number
  readonly rounds: number
  /** Learning rate of the central fine-tuning. */
  readonly centralRate: number
  readonly alpha: number
  readonly prompts: number
  readonly tokens: number
  readonly waysPerText: number
  readonly seeds: number
}

/** Progress callback. */
export type Progress = (what: string) => void

/** The simulated connection of the speed measurement. */
export const LINE = { roundTripMs: 50, megabitsPerSecond: 10 }
/** Number of texts whose bytes and time are measured. */
const MEASURED_TEXTS = 4

/** The proxy's weights as adapted by each seed's consortium. */
async function adaptProxy(
  { proxy }: Pair,
  domains: readonly TokenizedDomain[],
  { settings, rank, rounds }: MeasurePlan,
  seed: number,
  progress: Progress
): Promise<TensorMap> {
  const plan = { settings, rank, rounds, seed }
  return adaptTogether(proxy, domains, plan, (done) => progress(`seed ${seed}, federation: ${done}`))
}

/** Measures quality over the seeds, and returns the first seed's adapted proxy. */
export async function measureQuality(
  pair: Pair,
  domains: readonly TokenizedDomain[],
  plan: MeasurePlan,
  progress: Progress
): Promise<{ runs: QualityRun[]; adapted: TensorMap }> {
  const texts = scoredTexts(domains, plan.settings.context, pair.vocabulary.tokens.length)
  const unadapted = {
    proxy: await modelRows(pair.proxy, pair.proxy.weights, texts),
    remote: await modelRows(pair.remote, pair.remote.weights, texts)
  }
  const runs: QualityRun[] = []
  let first: TensorMap | undefined
  for (let seed = 1; seed <= plan.seeds; seed++) {
    const adapted = await adaptProxy(pair, domains, plan, seed, progress)
    first ??= adapted
    const central = { ...plan, settings: { ...plan.settings, learningRate: plan.centralRate }, seed }
    const { equalComputing, equalText } = centralSteps(pair, domains.length, plan)
    const steps = [equalComputing, equalText] as const
    runs.push(
      await runQuality(
        pair,
        domains,
        adapted,
        {
          ...{ texts, unadapted, central, steps },
          ofProxy: { ...plan, seed },
          withCentralProxy: seed === 1
        },
        (done) => progress(`seed ${seed}, central fine-tuning: ${done}`)
      )
    )
  }
  return { runs, adapted: first! }
}

/** Steps of central fine-tuning for comparison with the federation: with equal computation, and with equal text. */
export function centralSteps(
  { proxy, remote }: Pair,
  members: number,
  { settings, rank, rounds }: Pick<MeasurePlan, 'settings' | 'rank' | 'rounds'>
): { readonly equalComputing: number; readonly equalText: number } {
  const equalText = members * rounds * settings.stepsPerRound
  const ratio = trainingFlopsPerToken(proxy.config, rank) / trainingFlopsPerToken(remote.config, rank)
  return { equalComputing: Math.min(equalText, Math.max(1, Math.round(equalText * ratio))), equalText }
}

/** All measurements that need the remote as a separate process. */
export async function measureSessions(
  pair: Pair,
  domains: readonly TokenizedDomain[],
  adapted: TensorMap,
  plan: MeasurePlan,
  progress: Progress
): Promise<Pick<PradaResults, 'exactness' | 'communication' | 'speed'>> {
  const { alpha, tokens, waysPerText } = plan
  const remote = await startRemote(plan.remoteFolder)
  const transport = createHttpTransport({ url: remote.url })
  const proxy = proxyOf(pair, adapted)
  try {
    const components = pairProxy(proxy, pair.vocabulary, await connectLogitsServer(transport))
    const prompts = promptsOf(domains, plan.prompts)
    const exactness: Exactness = await measureExactness(
      components,
      { prompts, tokens, waysPerText, alpha },
      (done, of) => {
        if (done % 10 === 0 || done === of) progress(`exactness: ${done} of ${of} texts`)
      }
    )
    const measured = prompts.slice(0, MEASURED_TEXTS)
    // Measured over the connection, because the chosen draft length depends on it.
    const communication = await overLine(remote.url, LINE, components, (over) =>
      measureCommunication(over, measured, tokens, alpha, (row) =>
        progress(`communication: drafts by ${row.drafter}, ${row.sampling}`)
      )
    )
    const speed = await measureSpeed(
      pair,
      components,
      remote.url,
      { prompts: measured, tokens, alpha },
      progress
    )
    return { exactness, communication, speed }
  } finally {
    transport.dispose()
    await remote.stop()
    await proxy.base.dispose()
    await proxy.adapted.dispose()
  }
}

async function measureSpeed(
  { remote }: Pair,
  components: PradaComponents,
  url: string,
  texts: {
    readonly prompts: readonly (readonly number[])[]
    readonly tokens: number
    readonly alpha: number
  },
  progress: Progress
): Promise<PradaResults['speed']> {
  const few = { ...texts, prompts: texts.prompts.slice(0, 4) }
  const line = `${LINE.roundTripMs} ms, ${LINE.megabitsPerSecond} Mbit/s`
  progress(`speed: ${line}`)
  const session = await overLine(url, LINE, components, (over) => sessionSpeed(over, texts))
  const naive = await overLine(url, LINE, components, (over) => naiveSpeed(over, few))
  progress('speed: loopback')
  const loopback = await sessionSpeed(components, texts)
  const model = createDecoderModel({ config: remote.config, weights: remote.weights })
  try {
    return { line, session, naive, loopback, alone: await aloneSpeed(model, texts) }
  } finally {
    await model.dispose()
  }
}

/** Prompts of different lengths from the held-out text, spread over the domains. */
export function promptsOf(domains: readonly TokenizedDomain[], count: number): number[][] {
  return Array.from({ length: count }, (_, index) => {
    const { heldOut } = domains[index % domains.length]!
    const length = 4 + (index % 21)
    const places = heldOut.length - length
    const at = Math.floor((Math.floor(index / domains.length) * places) / Math.ceil(count / domains.length))
    return heldOut.slice(at, at + length)
  })
}
