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

/** Cuts whose medians are looked at. */
const CUTS = 5

/** The median norms in a file, by module; undefined where it holds something else. @throws where it cannot be read */
export async function normsBefore(path: string): Promise<Readonly<Record<string, number>> | undefined> {
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
