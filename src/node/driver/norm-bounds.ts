import { readFile } from 'node:fs/promises'
import { z } from 'zod'
import type { Charter } from '../../protocol/index.ts'
import { type Home, roundFiles } from '../home/home.ts'
import { writeFileAtomic } from '../storage/atomic-file.ts'
import { isMissing, PeerError } from '../storage/peer-error.ts'
import type { NormBounds } from '../workers/builder/jobs.ts'

const normsSchema = z.record(z.string(), z.number().min(0))

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
 * Rule 2 *Validate*: an update may be the charter's factor times the median of the last non-void cut, else its absolute
 * cap. A median of zero says nothing about the next update.
 *
 * @throws {PeerError} when the file that holds the medians is damaged
 */
export async function normBounds(home: Home, charter: Charter, round: number): Promise<NormBounds> {
  const { factor, absolute } = charter.norm
  for (let sealed = round - 1; sealed > 0; sealed--) {
    const path = roundFiles(home, sealed).norms
    try {
      const medians = normsSchema.parse(JSON.parse(await readFile(path, 'utf8')))
      const bounds = Object.entries(medians).filter(([, median]) => median > 0)
      return {
        absolute,
        byModule: Object.fromEntries(bounds.map(([module, median]) => [module, factor * median]))
      }
    } catch (error) {
      if (isMissing(error)) continue
      if (error instanceof SyntaxError || error instanceof z.ZodError)
        throw new PeerError(
          `${path} is damaged: move it away, and the norms of an earlier round, or the charter's cap, are the measure`
        )
      throw error
    }
  }
  return { absolute, byModule: {} }
}
