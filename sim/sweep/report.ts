import Table from 'cli-table3'
import type { SeedResult } from '../runs/run-seed.ts'

/** A sweep's summary as printed by `--json`. */
export interface SweepSummary {
  readonly seeds: number
  readonly violations: number
  readonly stalls: number
  readonly rounds: number
  readonly failures: readonly { seed: number; invariant: string; replay: string }[]
}

/** The command that repeats a seed. */
export function replayOf(seed: number, mutant?: string, rounds?: number): string {
  const mutate = mutant === undefined ? '' : ` --mutate ${mutant}`
  return `npm run sim -- --from ${seed} --seeds 1${rounds === undefined ? '' : ` --rounds ${rounds}`}${mutate}`
}

/** Summarises a sweep. */
export function summarise(results: readonly SeedResult[], mutant?: string, rounds?: number): SweepSummary {
  const failed = results.filter(({ failure }) => failure !== undefined)
  const stalls = failed.filter(({ failure }) => failure!.invariant === 'stall').length
  return {
    seeds: results.length,
    violations: failed.length - stalls,
    stalls,
    rounds: results.reduce((sum, { rounds }) => sum + rounds, 0),
    failures: failed.map(({ seed, failure }) => ({
      seed,
      invariant: failure!.invariant,
      replay: replayOf(seed, mutant, rounds)
    }))
  }
}

/** What a table says of the seeds with one number of members. */
interface SizeRow {
  readonly members: number
  readonly seeds: number
  /** Seeds with as many faulty members as there may be; undefined where there may be none. */
  readonly withFaulty: number | undefined
  readonly rounds: number
  readonly voidRounds: number
  readonly highestView: number
  readonly cpuSeconds: number
}

const HEAD = ['members', 'seeds', 'with f faulty', 'rounds', 'void', 'highest view', 'CPU s']

/** A table of the seeds by number of members, for a terminal. */
export function histogram(results: readonly SeedResult[]): string {
  const table = new Table({
    head: HEAD,
    colAligns: HEAD.map(() => 'right'),
    style: { head: [], border: [] }
  })
  for (const row of sizeRows(results)) table.push(cells(row))
  return [table.toString(), ...sharesOf(results).map(([what, share]) => `${what}: ${share}`)].join('\n')
}

/** A sweep as Markdown, for docs/results/simulation.md. */
export function sweepMarkdown(results: readonly SeedResult[]): string {
  const { seeds, rounds, violations, stalls } = summarise(results)
  const cpuMs = results.reduce((sum, each) => sum + each.cpuMs, 0)
  const count = (value: number) => value.toLocaleString('en-US')
  const line = (texts: readonly (string | number)[]) => `| ${texts.join(' | ')} |`
  return [
    `**${count(seeds)} seeds, ${count(rounds)} rounds, ${violations} violations, ${stalls} stalls**, ${(cpuMs / 1_000 / seeds).toFixed(2)} CPU s a seed.`,
    '',
    ...sharesOf(results).map(([what, share]) => `- ${what}: ${share}`),
    '',
    line(HEAD),
    line(HEAD.map(() => '---')).replaceAll(' ', ''),
    ...sizeRows(results).map((row) => line(cells(row)))
  ].join('\n')
}

function cells(row: SizeRow): (string | number)[] {
  const { members, seeds, withFaulty, rounds, voidRounds, highestView, cpuSeconds } = row
  return [members, seeds, withFaulty ?? '', rounds, voidRounds, highestView, cpuSeconds.toFixed(1)]
}

function sizeRows(results: readonly SeedResult[]): SizeRow[] {
  const sizes = [...new Set(results.map(({ members }) => members))].sort((left, right) => left - right)
  return sizes.map((members) => {
    const of = results.filter((each) => each.members === members)
    const most = Math.floor((members - 1) / 3)
    const sum = (value: (result: SeedResult) => number) =>
      of.reduce((total, result) => total + value(result), 0)
    return {
      members,
      seeds: of.length,
      withFaulty: most === 0 ? undefined : of.filter(({ faulty }) => faulty === most).length,
      rounds: sum(({ rounds }) => rounds),
      voidRounds: sum(({ voidRounds }) => voidRounds),
      highestView: Math.max(...of.map(({ highestView }) => highestView)),
      cpuSeconds: sum(({ cpuMs }) => cpuMs) / 1000
    }
  })
}

function sharesOf(results: readonly SeedResult[]): [what: string, share: string][] {
  const share = (part: number, whole: number) =>
    whole === 0 ? '–' : `${((100 * part) / whole).toFixed(1)} %`
  const large = results.filter(({ members }) => members >= 4)
  const full = large.filter(({ members, faulty }) => faulty === Math.floor((members - 1) / 3))
  const ofSize = (is: (members: number) => boolean) =>
    share(results.filter(({ members }) => is(members)).length, results.length)
  return [
    ['ten members or more', ofSize((members) => members >= 10)],
    ['forty members', ofSize((members) => members === 40)],
    ['f faulty, of those with four or more', share(full.length, large.length)],
    ['closest to the time limit', share(Math.max(0, ...results.map(({ strain }) => strain)), 1)]
  ]
}
