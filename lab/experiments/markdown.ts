import { ATTACK_SCALE, ATTACKS } from './attacks.ts'
import { DEFENCES } from './defences.ts'
import { type DomainLosses, meanLoss } from './held-out.ts'
import type { Split } from './members.ts'
import { SHORT_ROUNDS } from './plan.ts'
import type { ResultsHeader, RunResult } from './results.ts'
import { ALPHA_PER_RANK, type RankSetting } from './settings.ts'
import type { Estimate, SummaryRow } from './summary.ts'

/** Everything that the report shows. */
export interface ReportData {
  readonly header: ResultsHeader
  readonly runs: readonly RunResult[]
  readonly rows: readonly SummaryRow[]
}

/** A Markdown report of an experiment; every figure in it comes from its results file. */
export function renderMarkdown(data: ReportData): string {
  return `${[
    introduction(data),
    ...(['domain', 'dirichlet'] as const).flatMap((split) =>
      (['heterogeneous', 'homogeneous'] as const).flatMap((ranks) => rulesSection(data, split, ranks))
    ),
    baselineSection(data),
    startSection(data),
    poisonSection(data),
    domainSection(data)
  ]
    .filter((section) => section !== '')
    .join('\n\n')}\n`
}

function introduction({ header, runs }: ReportData): string {
  const { settings, model, domains } = header
  const seeds = Math.max(...runs.map(({ seed }) => seed))
  const hours = runs.reduce((sum, { seconds }) => sum + seconds, 0) / 3600
  return `# Comparison of the aggregation rules

Written by \`npm run lab -- experiment\` from [experiment.jsonl](experiment.jsonl): ${runs.length} runs, up to ${seeds} seeds,
${hours.toFixed(2)} hours on one core. No network, but the same engine, rules and merge as in peers.

| setting | value |
|---|---|
| model | ${model} |
| members | ${settings.members}: ${domains.join(', ')} |
| ranks, heterogeneous | ${settings.heterogeneousRanks.join(', ')} |
| rank, homogeneous | ${settings.homogeneousRank} (the same total number of parameters) |
| alpha | ${ALPHA_PER_RANK}r, modules ${settings.targetModules.join(' and ')} |
| a round | ${settings.stepsPerRound} steps of ${settings.batchSize} × ${settings.sequenceLength} tokens per member, AdamW at ${settings.learningRate}, constant |
| split *domain* | every member has one domain |
| split *dirichlet* | every domain's documents are divided by Dirichlet(${settings.dirichletAlpha}) |
| held out | the first ${settings.heldOutTokens} held-out tokens of every domain, the same in all runs |
| base model's loss | ${meanLoss(header.base).toFixed(4)} nats per token |

A loss is the mean over the domains, in nats per token, ± the standard deviation over the seeds. *Against FLoRA* is paired
by seed: the loss minus FLoRA's in the run with the same seed; below zero is better than FLoRA. *Error* is
‖ΔW − Σ p_k ΔW_k‖ / ‖Σ p_k ΔW_k‖ of the last round scored. *Bytes* are float32, one round: the total that all members send and
the total that all receive, with each update sent once.

All rules use one learning rate: the best of 0.001, 0.003 and 0.01 for FLoRA after ten rounds with one seed. It was not
tuned for the other rules. Rounds start as each rule's authors define it: FLoRA and FLoRIST merge everything into the base
and draw a new A; the others continue from the average, truncated to each member's rank. FedIT requires equal ranks;
zero-padding is FedIT for different ranks.`
}

function rulesSection({ rows, header }: ReportData, split: Split, ranks: RankSetting): string[] {
  const all = rows.filter((row) => row.study === 'rules' && row.split === split && row.ranks === ranks)
  const last = Math.max(...all.map(({ round }) => round))
  return [...new Set([SHORT_ROUNDS, last])].flatMap((round) => {
    const shown = all.filter((row) => row.round === round)
    if (shown.length === 0) return []
    const table = [
      '| rule | seeds | loss | gain on the base | against FLoRA | seeds below FLoRA | error | rank | MB up | MB down |',
      '|---|---|---|---|---|---|---|---|---|---|',
      ...shown.map((row) => ruleLine(row, meanLoss(header.base)))
    ]
    return [`## Split ${split}, ranks ${ranks}, ${round} rounds\n\n${table.join('\n')}\n\n${verdict(shown)}`]
  })
}

function ruleLine(row: SummaryRow, base: number): string {
  const { method, loss, againstFlora, seedsBelowFlora, aggregation } = row
  const against = method === 'flora' || againstFlora === undefined ? '' : signed(againstFlora)
  const below =
    method === 'flora' || againstFlora === undefined ? '' : `${seedsBelowFlora} of ${againstFlora.count}`
  const { error, rank, bytesUp, bytesDown } = aggregation!
  return `| ${method} | ${loss.count} | ${plain(loss)} | ${(base - loss.mean).toFixed(4)} | ${against} | ${below} | ${error.toExponential(1)} | ${rank.toFixed(0)} | ${megabytes(bytesUp)} | ${megabytes(bytesDown)} |`
}

/** Student's t of a 95 % interval by number of seeds, from two on. */
const STUDENT_T = [12.71, 4.3, 3.18, 2.78, 2.57, 2.45, 2.36, 2.31, 2.26]
/** Difference in nats per token below which two rules count as equal. */
const NEGLIGIBLE_NATS = 5e-4

/** States for every rule whether its distance from FLoRA exceeds the noise of the seeds. */
function verdict(rows: readonly SummaryRow[]): string {
  const words: Record<Outcome, string[]> = { better: [], worse: [], equal: [], unclear: [] }
  for (const { method, againstFlora } of rows) {
    if (method === 'flora' || againstFlora === undefined) continue
    words[outcome(againstFlora)].push(method)
  }
  const say = (methods: readonly string[], text: string) =>
    methods.length === 0 ? [] : [`${text}: ${methods.join(', ')}.`]
  return [
    ...say(words.worse, 'Worse than FLoRA, zero outside the 95 % interval of the paired difference'),
    ...say(words.better, 'Better than FLoRA, zero outside the 95 % interval of the paired difference'),
    ...say(words.equal, `Within ${NEGLIGIBLE_NATS} nats of FLoRA, including the interval`),
    ...say(words.unclear, 'Not distinguishable from FLoRA with these seeds')
  ].join(' ')
}

type Outcome = 'better' | 'worse' | 'equal' | 'unclear'

function outcome({ mean, deviation, count }: Estimate): Outcome {
  const t = STUDENT_T[Math.min(count - 2, STUDENT_T.length - 1)]
  if (t === undefined) return 'unclear'
  const half = (t * deviation) / Math.sqrt(count)
  if (Math.abs(mean) + half < NEGLIGIBLE_NATS) return 'equal'
  if (Math.abs(mean) <= half) return 'unclear'
  return mean > 0 ? 'worse' : 'better'
}

function baselineSection({ rows, header }: ReportData): string {
  const shown = rows.filter(({ study }) => study === 'baseline')
  if (shown.length === 0) return ''
  const explain: Record<string, string> = {
    standalone: 'every member alone, mean over the members',
    centralised: 'one adapter on all text, with the steps of all members together',
    'centralised-short': 'one adapter on all text, with the steps of one member'
  }
  const lines = shown
    .filter(({ round }) => round === SHORT_ROUNDS || round === Math.max(...shown.map((row) => row.round)))
    .map(
      ({ method, split, round, loss }) =>
        `| ${method} (${explain[method]}) | ${split} | ${round} | ${loss.count} | ${plain(loss)} | ${(meanLoss(header.base) - loss.mean).toFixed(4)} |`
    )
  return [
    '## Baselines',
    '',
    '| baseline | split | rounds | seeds | loss | gain on the base |',
    '|---|---|---|---|---|---|',
    ...lines
  ].join('\n')
}

function startSection({ rows }: ReportData): string {
  const isStart = (row: SummaryRow) =>
    row.study === 'start' ||
    (row.study === 'rules' &&
      row.method === 'flora' &&
      row.split === 'domain' &&
      row.ranks === 'heterogeneous')
  const shown = rows.filter(isStart)
  const starts = ['rule', 'svd', 'carry'].filter((start) => shown.some((row) => row.start === start))
  if (starts.length < 2) return ''
  const rounds = [...new Set(shown.map(({ round }) => round))].sort((left, right) => left - right)
  const cell = (start: string, round: number) => {
    const row = shown.find((candidate) => candidate.start === start && candidate.round === round)
    if (row === undefined) return ''
    const against = start === 'rule' || row.againstFlora === undefined ? '' : ` (${signed(row.againstFlora)})`
    return `${plain(row.loss)}${against}`
  }
  return [
    '## Warm starts: FLoRA, split domain, ranks heterogeneous',
    '',
    'In brackets: the paired difference from the fresh start. B is zero at the start of every round in all three: *fresh* draws A',
    "again, *svd* takes the leading right singular vectors of the round's stack, *carry* each member's own trained A.",
    '',
    `| round | ${starts.map((start) => (start === 'rule' ? 'fresh' : start)).join(' | ')} |`,
    `|---|${starts.map(() => '---|').join('')}`,
    ...rounds.map((round) => `| ${round} | ${starts.map((start) => cell(start, round)).join(' | ')} |`)
  ].join('\n')
}

function poisonSection({ rows, header }: ReportData): string {
  const poison = rows.filter(({ study }) => study === 'poison')
  if (poison.length === 0) return ''
  const last = Math.max(...poison.map(({ round }) => round))
  const clean = rows.find(
    (row) =>
      row.study === 'rules' &&
      row.method === 'flora' &&
      row.split === 'domain' &&
      row.ranks === 'heterogeneous' &&
      row.round === last
  )
  const cell = (attack: string, defence: string) => {
    const row = poison.find(
      (candidate) => candidate.attack === attack && candidate.defence === defence && candidate.round === last
    )
    return row === undefined ? '' : plain(row.loss)
  }
  return [
    `## A poisoned member: FLoRA, split domain, ranks heterogeneous, ${last} rounds`,
    '',
    `The member with the largest weight is poisoned. *Scaled* sends ${ATTACK_SCALE} times its update, *random* sends noise of that norm,`,
    '*sign-flipped* the negative of its update, *label-flipped* trains on wrong targets. *Clip* limits every update to the',
    "cut's median norm, module by module; *refuse* rejects updates beyond ten medians of the previous cut. The first round has",
    'no previous cut, so its poison stays in the model. *refuse-base* is what `loam consortium create`',
    'writes into a charter: the same, with the norm of the median base weight as the bound of the first round.',
    '',
    `Without an attack: ${clean === undefined ? '(not run)' : plain(clean.loss)}; the base: ${meanLoss(header.base).toFixed(4)}.`,
    '',
    `| attack | ${DEFENCES.join(' | ')} |`,
    `|---|${DEFENCES.map(() => '---|').join('')}`,
    ...ATTACKS.map(
      (attack) => `| ${attack} | ${DEFENCES.map((defence) => cell(attack, defence)).join(' | ')} |`
    )
  ].join('\n')
}

function domainSection({ rows, header }: ReportData): string {
  const shown = rows.filter(
    (row) => row.study === 'rules' && row.split === 'domain' && row.ranks === 'heterogeneous'
  )
  const last = Math.max(...shown.map(({ round }) => round))
  const methods = shown.filter(({ round }) => round === last)
  if (methods.length === 0) return ''
  const columns: [string, DomainLosses][] = [
    ['base', header.base],
    ...methods.map(({ method, domains }): [string, DomainLosses] => [method, domains])
  ]
  return [
    `## By domain: split domain, ranks heterogeneous, ${last} rounds`,
    '',
    `| domain | ${columns.map(([name]) => name).join(' | ')} |`,
    `|---|${columns.map(() => '---|').join('')}`,
    ...header.domains.map(
      (domain) => `| ${domain} | ${columns.map(([, losses]) => losses[domain]!.toFixed(3)).join(' | ')} |`
    )
  ].join('\n')
}

function plain({ mean, deviation, count }: Estimate): string {
  return count === 1 ? mean.toFixed(4) : `${mean.toFixed(4)} ± ${deviation.toFixed(4)}`
}

function signed({ mean, deviation, count }: Estimate): string {
  const value = `${mean < 0 ? '−' : '+'}${Math.abs(mean).toFixed(4)}`
  return count === 1 ? value : `${value} ± ${deviation.toFixed(4)}`
}

function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(2)
}
