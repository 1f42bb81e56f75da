import { existsSync } from 'node:fs'
import { readFile, rename } from 'node:fs/promises'
import { z } from 'zod'
import type { Charter } from '../../protocol/index.ts'
import { type Home, roundFiles } from '../home/home.ts'
import type { Log } from '../log/log.ts'
import { writeFileAtomic } from '../storage/atomic-file.ts'
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
 * cap. A median of zero says nothing about the next update. A damaged file of medians is moved aside, and those of an
 * earlier round are the measure.
 */
export async function normBounds(
  home: Home,
  charter: Charter,
  round: number,
  log: Pick<Log, 'warn'>
): Promise<NormBounds> {
  const { factor, absolute } = charter.norm
  for (let sealed = round - 1; sealed > 0; sealed--) {
    const path = roundFiles(home, sealed).norms
    if (!existsSync(path)) continue
    const medians = await readNorms(path)
    if (medians === undefined) {
      const aside = `${path}.damaged`
      await rename(path, aside)
      log.warn({ path: aside }, 'the norms of a round were damaged; the file is moved aside')
      continue
    }
    const bounds = Object.entries(medians).filter(([, median]) => median > 0)
    return {
      absolute,
      byModule: Object.fromEntries(bounds.map(([module, median]) => [module, factor * median]))
    }
  }
  return { absolute, byModule: {} }
}
