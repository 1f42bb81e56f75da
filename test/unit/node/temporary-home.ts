import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createHomeFolders, type Home, homeAt } from '../../../src/node/home/home.ts'

/** A home folder for one test. */
export async function temporaryHome(): Promise<{ home: Home; remove(): Promise<void> }> {
  const folder = await mkdtemp(join(tmpdir(), 'loam-home-'))
  const home = homeAt(folder)
  await createHomeFolders(home)
  return { home, remove: () => rm(folder, { recursive: true, force: true }) }
}
