import { readFile } from 'node:fs/promises'
import { z } from 'zod'
import type { Charter } from '../../protocol/index.ts'
import { type Home, roundFiles } from '../home/home.ts'
import { writeFileAtomic } from '../storage/atomic-file.ts'
import { isMissing, PeerError } from '../storage/peer-error.ts'
import type { NormBounds } from '../workers/builder/jobs.ts'

const normsSchema = z.record(z.string(), z.number().min(0))

/** Cuts whose medians are looked at. */
const CUTS = 5

/** Keeps the median norms of a sealed cut, by module: the measure for the rounds after it. */
export async function saveNorms(
  home: Home,
  round: number,
  medianNorms: Readonly<Record<string, number>>
): Promise<void> {
  await writeFileAtomic(
    roundFiles(home, round).norms,
    new TextEncoder().encode(`${JSON.stringify(medianNorms)}\n`)
  )
}

/** The median norms in a file, by module; undefined where it holds something else. @throws where it cannot be read */
export async function readNorms(path: string): Promise<Readonly<Record<string, number>> | undefined> {
  const text = await readFile(path, 'utf8')
  try {
    return normsSchema.safeParse(JSON.parse(text)).data
  } catch {
    return undefined
  }
}

/**
 * Rule 2 *Validate*: an update may be the charter's factor times the least median of the last five non-void cuts, and never
 * more than its absolute cap. A median of zero says nothing about the next update. The least, so that a model that was
 * harmed, on which honest updates are larger, does not raise the bound for whoever harmed it.
 *
 * @throws {PeerError} when a file that holds the medians is damaged
 */
export async function normBounds(home: Home, charter: Charter, round: number): Promise<NormBounds> {
  const { factor, absolute } = charter.norm
  const least = new Map<string, number>()
  let cuts = 0
  for (let sealed = round - 1; sealed > 0 && cuts < CUTS; sealed--) {
    const medians = await normsOf(roundFiles(home, sealed).norms)
    if (medians === undefined) continue
    cuts++
    for (const [module, median] of Object.entries(medians))
      if (median > 0) least.set(module, Math.min(median, least.get(module) ?? median))
  }
  return {
    absolute,
    byModule: Object.fromEntries(
      [...least].map(([module, median]) => [module, Math.min(factor * median, absolute)])
    )
  }
}

/** The norms of a round; undefined where it left none. */
async function normsOf(path: string): Promise<Readonly<Record<string, number>> | undefined> {
  let norms: Readonly<Record<string, number>> | undefined
  try {
    norms = await readNorms(path)
  } catch (error) {
    if (isMissing(error)) return undefined
    throw error
  }
  if (norms === undefined)
    throw new PeerError(
      `${path} is damaged: move it away, and the norms of an earlier round, or the charter's cap, are the measure`
    )
  return norms
}
