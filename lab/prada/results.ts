import type { CommunicationRow } from './communication.ts'
import type { Exactness } from './exactness.ts'
import type { FineTuningCost } from './fine-tuning-cost.ts'
import { ALPHAS, gapClosed, type QualityRun, type Scores } from './quality-run.ts'
import type { Speed } from './speed.ts'

/** All measurements of a run. */
export interface PradaResults {
  readonly models: { readonly proxy: string; readonly remote: string }
  readonly alpha: number
  readonly exactness: Exactness
  readonly communication: readonly CommunicationRow[]
  /** One float32 row of the vocabulary, bytes. */
  readonly fullRowBytes: number
  readonly speed: {
    readonly line: string
    readonly session: Speed
    readonly naive: Speed
    /** Without the slow connection: the session over loopback, and the remote alone. */
    readonly loopback: Speed
    readonly alone: Speed
  }
  /** One run per seed. */
  readonly quality: readonly QualityRun[]
  readonly cost: CostResults
  /** Size and duration of the run. */
  readonly run: {
    readonly prompts: number
    readonly tokens: number
    readonly seeds: number
    readonly minutes: number
  }
}

/** Cost of fine-tuning and of a token. */
export interface CostResults {
  readonly proxy: FineTuningCost
  readonly remote: FineTuningCost
  /** Floating-point operations per token in a forward pass. */
  readonly proxyPass: number
  readonly remotePass: number
  /** Steps of central fine-tuning with the federation's computation, and with its text. */
  readonly central: { readonly equalComputing: number; readonly equalText: number }
}

/** The row that represents the communication: the default drafter at temperature 1. */
function mainRow({ communication }: PradaResults): CommunicationRow {
  return communication.find(({ drafter, sampling }) => drafter === 'remote' && sampling === 'T = 1')!
}

/** The results as JSON; quality figures are means over the seeds. */
export function resultsJson(results: PradaResults): object {
  const { exactness, fullRowBytes, speed, quality, alpha } = results
  const { bytesPerToken, contentPerToken, tokensPerTrip, acceptance } = mainRow(results)
  const nats = (of: (run: QualityRun) => Scores): number => mean(quality.map((run) => of(run).nats))
  const gaps = quality.map((run) => gapClosed(run, alpha))
  return {
    models: results.models,
    exactness,
    communication: {
      bytesPerToken,
      contentPerToken,
      fullRowBytes,
      tokensPerTrip,
      acceptance,
      rows: results.communication
    },
    time: {
      tokensPerSecond: speed.session.tokensPerSecond,
      naiveTokensPerSecond: speed.naive.tokensPerSecond,
      line: speed.line,
      loopbackTokensPerSecond: speed.loopback.tokensPerSecond,
      aloneTokensPerSecond: speed.alone.tokensPerSecond
    },
    quality: {
      proxy: nats(({ proxy }) => proxy),
      adapted: nats(({ adapted }) => adapted),
      remote: nats(({ remote }) => remote),
      prada: nats((run) => steeredAt(run, alpha)),
      central: nats(({ central }) => central),
      centralOfEqualComputing: nats(({ centralOfEqualComputing }) => centralOfEqualComputing),
      gapClosed: mean(gaps),
      gapClosedAtEqualComputing: gapAtEqualComputing(quality, alpha),
      gapClosedBySeed: gaps,
      byAlpha: ALPHAS.map((strength) => ({
        alpha: strength,
        nats: nats((run) => steeredAt(run, strength)),
        accuracy: mean(quality.map((run) => steeredAt(run, strength).accuracy)),
        gapClosed: mean(quality.map((run) => gapClosed(run, strength)))
      }))
    },
    cost: results.cost
  }
}

/** The share of the gap that is closed, if central fine-tuning uses the same computation as the members. */
function gapAtEqualComputing(quality: readonly QualityRun[], alpha: number): number {
  return mean(quality.map((run) => gapClosed(run, alpha, run.centralOfEqualComputing)))
}

/** The goals of the project with the measured results. */
function goalRows(results: PradaResults): string[][] {
  const { exactness, fullRowBytes, speed, quality, alpha, communication } = results
  const ratio = (a: Speed, b: Speed): number => a.tokensPerSecond / b.tokensPerSecond
  const holds = (yes: boolean): string => (yes ? 'holds' : 'missed')
  const main = mainRow(results)
  const gain = ratio(speed.session, speed.naive)
  const slower = ratio(speed.alone, speed.loopback)
  const gap = mean(quality.map((run) => gapClosed(run, alpha)))
  const bytes = communication
    .filter(({ drafter }) => drafter === main.drafter)
    .map(({ sampling, bytesPerToken, contentPerToken }) => {
      const [all, content] = [bytesPerToken / fullRowBytes, contentPerToken / fullRowBytes]
      const measured = `${percent(all)} with HTTP headers, ${percent(content)} without`
      return [`${sampling}: bytes per token at most 5 % of a float32 row`, measured, holds(all <= 0.05)]
    })
  return [
    [
      'no token differs from naive decoding',
      `${exactness.differences} of ${exactness.tokens} (${exactness.texts} texts, ${exactness.ways} ways)`,
      holds(exactness.differences === 0)
    ],
    ...bytes,
    ['at least 2.5 tokens per trip', main.tokensPerTrip.toFixed(2), holds(main.tokensPerTrip >= 2.5)],
    [`${speed.line}: at least 2.2 × naive decoding`, `${gain.toFixed(2)} ×`, holds(gain >= 2.2)],
    ['loopback: at most 1.5 × slower than the remote alone', `${slower.toFixed(2)} ×`, holds(slower <= 1.5)],
    ['gap to central fine-tuning on equal text closed: at least 80 %', percent(gap), holds(gap >= 0.8)],
    ['the same with equal computation, not a goal', percent(gapAtEqualComputing(quality, alpha)), '']
  ]
}

/** The results as Markdown tables, also shown in the terminal. */
export function resultsText(results: PradaResults, domains: readonly string[]): string {
  const { fullRowBytes, quality, alpha } = results
  const share = (bytes: number): string => percent(bytes / fullRowBytes)
  const models: readonly [string, (run: QualityRun) => Scores | undefined][] = [
    ['proxy', ({ proxy }) => proxy],
    ['adapted proxy', ({ adapted }) => adapted],
    ['remote', ({ remote }) => remote],
    [`remote + offset, α = ${alpha}`, (run) => steeredAt(run, alpha)],
    [
      'remote + offset of a proxy fine-tuned centrally, at its best α',
      ({ steeredByCentralProxy }) => steeredByCentralProxy?.toSorted((a, b) => a.nats - b.nats)[0]
    ],
    ['remote, fine-tuned centrally, equal computation', (run) => run.centralOfEqualComputing],
    ['remote, fine-tuned centrally, equal text', ({ central }) => central]
  ]
  return [
    ...markdownTable(['goal', 'measured', ''], goalRows(results)),
    '',
    ...markdownTable(
      ['drafter', 'sampling', 'bytes', 'of a row', 'without headers', 'per trip', 'accepted', 'tokens/s'],
      results.communication.map((row) => [
        row.drafter,
        row.sampling,
        row.bytesPerToken.toFixed(0),
        share(row.bytesPerToken),
        share(row.contentPerToken),
        row.tokensPerTrip.toFixed(2),
        percent(row.acceptance, 0),
        row.tokensPerSecond.toFixed(1)
      ])
    ),
    '',
    ...speedTable(results.speed),
    '',
    ...markdownTable(
      ['model', 'seeds', 'nats', ...domains, 'choices'],
      models.flatMap(([name, of]) => {
        const scores = quality.map(of).filter((each) => each !== undefined)
        if (scores.length === 0) return []
        return [
          [
            name,
            String(scores.length),
            spread(scores.map(({ nats }) => nats)),
            ...domains.map((_, index) => mean(scores.map((each) => each.domains[index]!)).toFixed(3)),
            percent(mean(scores.map(({ accuracy }) => accuracy)), 0)
          ]
        ]
      })
    ),
    '',
    ...markdownTable(
      ['α', 'nats', 'gap closed', 'choices'],
      ALPHAS.map((strength) => [
        String(strength),
        spread(quality.map((run) => steeredAt(run, strength).nats)),
        `${spread(quality.map((run) => 100 * gapClosed(run, strength)))} %`,
        percent(mean(quality.map((run) => steeredAt(run, strength).accuracy)), 0)
      ])
    ),
    '',
    ...costTable(results.cost),
    '',
    `${results.run.prompts} prompts, ${results.run.tokens} tokens each, ${results.run.seeds} seeds: ${results.run.minutes.toFixed(0)} minutes.`
  ].join('\n')
}

function speedTable({ line, session, naive, loopback, alone }: PradaResults['speed']): string[] {
  const row = (name: string, where: string, { tokensPerSecond, tokensPerTrip }: Speed): string[] => [
    name,
    where,
    tokensPerSecond.toFixed(1),
    tokensPerTrip.toFixed(2)
  ]
  return markdownTable(
    ['way', 'line', 'tokens/s', 'per trip'],
    [
      row('session', line, session),
      row('naive, float32 rows', line, naive),
      row('session', 'loopback', loopback),
      row('the remote alone', 'none', alone)
    ]
  )
}

function costTable({ proxy, remote, proxyPass, remotePass, central }: CostResults): string[] {
  const million = (value: number): string => (value / 1e6).toFixed(1)
  const saved = (a: number, b: number): string => percent(1 - a / b, 0)
  return [
    ...markdownTable(
      ['LoRA fine-tuning', 'MFLOP per token', 'peak MB', 'ms per step'],
      [
        ...[...Object.entries({ proxy, remote })].map(([name, row]) => [
          name,
          million(row.flopsPerToken),
          row.peakMB.toFixed(0),
          row.msPerStep.toFixed(0)
        ]),
        [
          'saved by the proxy',
          saved(proxy.flopsPerToken, remote.flopsPerToken),
          saved(proxy.peakMB, remote.peakMB),
          saved(proxy.msPerStep, remote.msPerStep)
        ]
      ]
    ),
    '',
    `A position takes two passes of the proxy on the device, ${million(2 * proxyPass)} MFLOP; the remote's pass takes ${million(remotePass)}. Central fine-tuning: ${central.equalComputing} steps with equal computation, ${central.equalText} with equal text.`
  ]
}

function percent(share: number, digits = 1): string {
  return `${(100 * share).toFixed(digits)} %`
}

function steeredAt({ steered }: QualityRun, alpha: number): Scores {
  return steered[ALPHAS.indexOf(alpha as (typeof ALPHAS)[number])]!
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length
}

/** A mean with its standard deviation over the seeds. */
function spread(values: readonly number[]): string {
  const middle = mean(values)
  const digits = Math.abs(middle) < 10 ? 3 : 0
  if (values.length === 1) return middle.toFixed(digits)
  const variance = values.reduce((sum, value) => sum + (value - middle) ** 2, 0) / (values.length - 1)
  return `${middle.toFixed(digits)} ± ${Math.sqrt(variance).toFixed(digits)}`
}

/** A Markdown table. */
export function markdownTable(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`
  return [line(head), `|${head.map(() => '---|').join('')}`, ...rows.map(line)]
}
