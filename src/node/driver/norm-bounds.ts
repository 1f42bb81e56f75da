import { existsSync } from 'node:fs'
import { readFile, rename } from 'node:fs/promises'
import { z } from 'zod'
import type { Charter } from '../../protocol/index.ts'
import { type Home, roundFiles } from '../home/home.ts'
import type { Log } from '../log/log.ts'
import { writeFileAtomic } from '../storage/atomic-file.ts'
import type { NormBounds } from '../workers/builder/jobs.ts'

const normsSchema = z.record(z.string(), z.number().min(0))

/** Median norms of a cut, by module. */
type MedianNorms = Readonly<Record<string, number>>

/** Number of cuts whose medians count. */
export const NORM_CUTS = 5

/** Stores the median norms of a sealed cut, by module: later rounds are bounded by them. */
export async function saveNorms(home: Home, round: number, medianNorms: MedianNorms): Promise<void> {
  await writeFileAtomic(
    roundFiles(home, round).norms,
    new TextEncoder().encode(`${JSON.stringify(medianNorms)}\n`)
  )
}

/** The median norms in a file, by module; undefined if it holds something else. @throws when it cannot be read */
export async function readNorms(path: string): Promise<MedianNorms | undefined> {
  const text = await readFile(path, 'utf8')
  try {
    return normsSchema.safeParse(JSON.parse(text)).data
  } catch {
    return undefined
  }
}

/**
 * Rule 2 *Validate*: an update may be the charter's factor times the least median of the last five non-void cuts, and
 * never more than its absolute cap. A median of zero says nothing about the next update. The least, so that an attacker
 * who damages the model, which makes honest updates larger, does not raise its own bound. A damaged file of medians is
 * moved aside, and earlier rounds are used.
 */
export async function normBounds(
  home: Home,
  charter: Charter,
  round: number,
  log: Pick<Log, 'warn'>
): Promise<NormBounds> {
  return boundsByMedians(charter.norm, await lastCuts(home, round, NORM_CUTS, log))
}

/** The medians of the last non-void cut before a round; undefined where there is none. */
export async function lastNorms(
  home: Home,
  round: number,
  log: Pick<Log, 'warn'>
): Promise<MedianNorms | undefined> {
  return (await lastCuts(home, round, 1, log))[0]
}

async function lastCuts(
  home: Home,
  round: number,
  count: number,
  log: Pick<Log, 'warn'>
): Promise<MedianNorms[]> {
  const cuts: MedianNorms[] = []
  for (let sealed = round - 1; sealed > 0 && cuts.length < count; sealed--) {
    const medians = await normsOf(roundFiles(home, sealed).norms, log)
    if (medians !== undefined) cuts.push(medians)
  }
  return cuts
}

/** The bounds that follow from the medians of some cuts. */
export function boundsByMedians(
  { factor, absolute }: Charter['norm'],
  cuts: readonly MedianNorms[]
): NormBounds {
  const least = new Map<string, number>()
  for (const [module, median] of cuts.flatMap((medians) => Object.entries(medians)))
    if (median > 0) least.set(module, Math.min(median, least.get(module) ?? median))
  const bounds = [...least].map(([module, median]) => [module, Math.min(factor * median, absolute)] as const)
  return { absolute, byModule: Object.fromEntries(bounds) }
}

/** The norms of a round; undefined if it has none or they cannot be read. */
async function normsOf(path: string, log: Pick<Log, 'warn'>): Promise<MedianNorms | undefined> {
  if (!existsSync(path)) return undefined
  const norms = await readNorms(path)
  if (norms !== undefined) return norms
  const aside = `${path}.damaged`
  await rename(path, aside)
  log.warn({ path: aside }, 'the norms of a round were damaged; the file was moved aside')
  return undefined
}
