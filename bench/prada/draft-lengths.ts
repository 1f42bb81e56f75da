import Table from 'cli-table3'
import { loadCorpus } from '../../lab/experiments/corpus.ts'
import { experimentSettings } from '../../lab/experiments/settings.ts'
import { adaptTogether } from '../../lab/prada/adaptation.ts'
import { promptsOf } from '../../lab/prada/measure.ts'
import { overMemberLine } from '../../lab/prada/member-line.ts'
import { loadPair, proxyOf } from '../../lab/prada/pair.ts'
import { startRemote } from '../../lab/prada/remote-process.ts'
import { naiveSpeed, overLine, sessionSpeed } from '../../lab/prada/speed.ts'
import {
  connectLogitsServer,
  createHttpTransport,
  type PradaComponents,
  pairProxy
} from '../../src/prada/index.ts'

const DRAFT_LENGTHS = [0, 1, 2, 4, 8, 12, 16] as const
const WAYS = [...DRAFT_LENGTHS, 'auto', 'naive'] as const
type Way = (typeof WAYS)[number]
const RANK = 16
const MEGABITS = 10

/** What is measured, over which protocol. */
export interface DraftLengthOptions {
  readonly proxy: string
  readonly remote: string
  readonly roundTrip: readonly number[]
  readonly texts: number
  readonly tokens: number
}

/**
 * Tokens per second for every fixed draft length, for the length chosen by measurement, and for naive sampling. All are
 * timed in turn, a text each, and each text begins with another, so that a machine that is busy for a while slows all alike.
 */
export async function draftLengths(
  options: DraftLengthOptions,
  over: 'http' | 'libp2p'
): Promise<{ text: string; data: object }> {
  const pair = loadPair(options.proxy, options.remote)
  const settings = {
    ...experimentSettings(pair.proxy, false),
    members: 4,
    targetModules: ['all-linear'],
    learningRate: 2e-3
  }
  const domains = await loadCorpus(pair.proxy, settings)
  const plan = { settings, rank: RANK, rounds: 1, seed: 1 }
  const adapted = await adaptTogether(pair.proxy, domains, plan, () => undefined)
  const remote = await startRemote(options.remote)
  const transport = createHttpTransport({ url: remote.url })
  const proxy = proxyOf(pair, adapted)
  try {
    const components = pairProxy(proxy, pair.vocabulary, await connectLogitsServer(transport))
    const prompts = promptsOf(domains, options.texts)
    const rows = []
    for (const roundTripMs of options.roundTrip) {
      const line = { roundTripMs, megabitsPerSecond: MEGABITS }
      const timed = (made: PradaComponents) =>
        inTurn(made, prompts, options.tokens, `${over}, ${roundTripMs} ms`)
      const rates =
        over === 'libp2p'
          ? await overMemberLine(remote.url, line, components, timed)
          : roundTripMs === 0
            ? await timed(components)
            : await overLine(remote.url, line, components, timed)
      const best = DRAFT_LENGTHS.reduce((a, b) => (rates.get(b)! > rates.get(a)! ? b : a))
      const [auto, naive] = [rates.get('auto')!, rates.get('naive')!]
      rows.push({
        ...{ roundTripMs, rates: DRAFT_LENGTHS.map((way) => rates.get(way)!), auto, naive, best },
        ...{ ofBest: auto / rates.get(best)!, ofNaive: auto / naive }
      })
    }
    const table = new Table({
      head: ['ms', ...DRAFT_LENGTHS.map((k) => `K ${k}`), 'auto', 'naive', 'auto / best', 'auto / naive'],
      style: { head: [], border: [] }
    })
    for (const { roundTripMs, rates, auto, naive, ofBest, ofNaive } of rows)
      table.push([
        roundTripMs,
        ...[...rates, auto, naive].map((rate) => rate.toFixed(1)),
        ofBest.toFixed(2),
        ofNaive.toFixed(2)
      ])
    return {
      text: `tokens a second at temperature 1, ${MEGABITS} Mbit/s, over ${over}\n${table}`,
      data: { lengths: DRAFT_LENGTHS, rows }
    }
  } finally {
    transport.dispose()
    await remote.stop()
    await proxy.base.dispose()
    await proxy.adapted.dispose()
  }
}

/** Tokens per second of each way. */
async function inTurn(
  components: PradaComponents,
  prompts: readonly (readonly number[])[],
  tokens: number,
  where: string
): Promise<ReadonlyMap<Way, number>> {
  const seconds = new Map<Way, number>(WAYS.map((way) => [way, 0]))
  for (const [turn, prompt] of prompts.entries()) {
    for (const place of WAYS.keys()) {
      const way = WAYS[(place + turn * 4) % WAYS.length]!
      const texts = { prompts: [prompt], tokens, alpha: 1, firstSeed: turn }
      const { tokensPerSecond } =
        way === 'naive' ? await naiveSpeed(components, texts) : await sessionSpeed(components, texts, way)
      seconds.set(way, seconds.get(way)! + 1 / tokensPerSecond)
    }
    process.stderr.write(`${where}: text ${turn + 1} of ${prompts.length}\n`)
  }
  return new Map([...seconds].map(([way, sum]) => [way, prompts.length / sum]))
}
