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

/** A table of the seeds by number of members. */
export function histogram(results: readonly SeedResult[]): string {
  const table = new Table({
    head: ['members', 'seeds', 'with f faulty', 'rounds', 'void', 'highest view', 'CPU s'],
    colAligns: ['right', 'right', 'right', 'right', 'right', 'right', 'right'],
    style: { head: [], border: [] }
  })
  const sizes = [...new Set(results.map(({ members }) => members))].sort((left, right) => left - right)
  for (const size of sizes) {
    const of = results.filter(({ members }) => members === size)
    const most = Math.floor((size - 1) / 3)
    const sum = (value: (result: SeedResult) => number) =>
      of.reduce((total, result) => total + value(result), 0)
    table.push([
      size,
      of.length,
      most === 0 ? '' : of.filter(({ faulty }) => faulty === most).length,
      sum(({ rounds }) => rounds),
      sum(({ voidRounds }) => voidRounds),
      Math.max(...of.map(({ highestView }) => highestView)),
      (sum(({ cpuMs }) => cpuMs) / 1000).toFixed(1)
    ])
  }
  const share = (part: number, whole: number) =>
    whole === 0 ? '–' : `${((100 * part) / whole).toFixed(1)} %`
  const large = results.filter(({ members }) => members >= 4)
  const full = large.filter(({ members, faulty }) => faulty === Math.floor((members - 1) / 3))
  return [
    table.toString(),
    `ten members or more: ${share(results.filter(({ members }) => members >= 10).length, results.length)}`,
    `forty members: ${share(results.filter(({ members }) => members === 40).length, results.length)}`,
    `f faulty, of those with four or more: ${share(full.length, large.length)}`,
    `closest to the time limit: ${share(Math.max(0, ...results.map(({ strain }) => strain)), 1)}`
  ].join('\n')
}
