import { mkdtemp, readFile, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Home } from '../../../src/node/home/home.ts'
import { makeTinyBase } from '../../support/tiny-base.ts'
import { splitWeights } from '../../unit/node/split-weights.ts'

/** A small base model in two weight files that is not the shipped one, in a folder of its own. */
export async function makeOtherBase(): Promise<string> {
  const folder = makeTinyBase(await mkdtemp(join(tmpdir(), 'loam-other-base-')))
  await splitWeights(folder, 2)
  return folder
}

/** A home's settings without the folder of the base model. @returns that folder */
export async function forgetModel(home: Home): Promise<string> {
  const { model, ...settings } = JSON.parse(await readFile(home.config, 'utf8')) as { model: string }
  await writeFile(home.config, JSON.stringify(settings))
  return model
}
