import type { CommunicationRow } from './communication.ts'
import type { Exactness } from './exactness.ts'
import { ALPHAS, gapClosed, type QualityRun, type Scores } from './quality-run.ts'
import type { Speed } from './speed.ts'

/** Everything that a run has measured. */
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
    /** Without a line: the session over loopback, and the remote by itself. */
    readonly loopback: Speed
    readonly alone: Speed
  }
  /** A run a seed. */
  readonly quality: readonly QualityRun[]
}

/** The row that stands for the communication: the default drafter at temperature 1. */
function mainRow({ communication }: PradaResults): CommunicationRow {
  return communication.find(({ drafter, sampling }) => drafter === 'remote' && sampling === 'T = 1')!
}

/** The results as programs read them; qualities are means over the seeds. */
export function resultsJson(results: PradaResults): object {
  const { exactness, fullRowBytes, speed, quality, alpha } = results
  const { bytesPerToken, tokensPerTrip, acceptance } = mainRow(results)
  const nats = (of: (run: QualityRun) => Scores): number => mean(quality.map((run) => of(run).nats))
  const gaps = quality.map((run) => gapClosed(run, alpha))
  return {
    models: results.models,
    exactness,
    communication: {
      bytesPerToken,
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
      gapClosed: mean(gaps),
      gapClosedBySeed: gaps,
      byAlpha: ALPHAS.map((strength) => ({
        alpha: strength,
        nats: nats((run) => steeredAt(run, strength)),
        accuracy: mean(quality.map((run) => steeredAt(run, strength).accuracy)),
        gapClosed: mean(quality.map((run) => gapClosed(run, strength)))
      }))
    }
  }
}

/** The results as a Markdown report: the same table that the terminal shows. */
export function resultsText(results: PradaResults, domains: readonly string[]): string {
  const { exactness, fullRowBytes, speed, quality, alpha } = results
  const { bytesPerToken } = mainRow(results)
  const share = (bytes: number): string => `${((100 * bytes) / fullRowBytes).toFixed(1)} %`
  const ratio = (a: Speed, b: Speed): string => (a.tokensPerSecond / b.tokensPerSecond).toFixed(2)
  const models: readonly [string, (run: QualityRun) => Scores][] = [
    ['proxy', ({ proxy }) => proxy],
    ['adapted proxy', ({ adapted }) => adapted],
    ['remote', ({ remote }) => remote],
    [`remote + offset, α = ${alpha}`, (run) => steeredAt(run, alpha)],
    ['remote, fine-tuned centrally', ({ central }) => central]
  ]
  return [
    `exactness      ${exactness.differences} of ${exactness.tokens} tokens differ from the naive way's (${exactness.texts} texts, ${exactness.ways} ways)`,
    `communication  ${bytesPerToken.toFixed(0)} bytes a token, ${share(bytesPerToken)} of a float32 row (${fullRowBytes} bytes)`,
    `speed          ${speed.line}: ${perSecond(speed.session)}, naive ${perSecond(speed.naive)}: ${ratio(speed.session, speed.naive)} ×`,
    `               loopback: ${perSecond(speed.loopback)}, the remote alone ${perSecond(speed.alone)}: ${ratio(speed.alone, speed.loopback)} × slower`,
    `gap closed     ${spread(quality.map((run) => 100 * gapClosed(run, alpha)))} % of the way to central fine-tuning`,
    '',
    ...markdownTable(
      ['drafter', 'sampling', 'bytes', 'of a row', 'per trip', 'accepted', 'tokens/s'],
      results.communication.map((row) => [
        row.drafter,
        row.sampling,
        row.bytesPerToken.toFixed(0),
        share(row.bytesPerToken),
        row.tokensPerTrip.toFixed(2),
        `${(100 * row.acceptance).toFixed(0)} %`,
        row.tokensPerSecond.toFixed(1)
      ])
    ),
    '',
    ...markdownTable(
      ['model', 'nats', ...domains, 'choices'],
      models.map(([name, of]) => [
        name,
        spread(quality.map((run) => of(run).nats)),
        ...domains.map((_, index) => mean(quality.map((run) => of(run).domains[index]!)).toFixed(3)),
        `${(100 * mean(quality.map((run) => of(run).accuracy))).toFixed(0)} %`
      ])
    ),
    '',
    ...markdownTable(
      ['α', 'nats', 'gap closed', 'choices'],
      ALPHAS.map((strength) => [
        String(strength),
        spread(quality.map((run) => steeredAt(run, strength).nats)),
        `${spread(quality.map((run) => 100 * gapClosed(run, strength)))} %`,
        `${(100 * mean(quality.map((run) => steeredAt(run, strength).accuracy))).toFixed(0)} %`
      ])
    )
  ].join('\n')
}

function steeredAt({ steered }: QualityRun, alpha: number): Scores {
  return steered[ALPHAS.indexOf(alpha as (typeof ALPHAS)[number])]!
}

function perSecond({ tokensPerSecond }: Speed): string {
  return `${tokensPerSecond.toFixed(1)} tokens/s`
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
