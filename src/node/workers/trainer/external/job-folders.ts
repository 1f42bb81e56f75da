import { createHash } from 'node:crypto'
import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { openWeightFile } from '../../../../model/index.ts'

/** Folders of a home for exchange with an external trainer. */
export function trainerFolders(home: string) {
  const root = join(home, 'trainer')
  return { root, jobs: join(root, 'jobs'), checkpoint: join(root, 'checkpoint') } as const
}

/** Creates a folder per request, which is removed afterwards. Folders of earlier processes are removed first. */
export function jobFolders(
  home: string
): <Result>(use: (folder: string) => Promise<Result>) => Promise<Result> {
  const { jobs, checkpoint } = trainerFolders(home)
  let cleaned: Promise<void> | undefined
  let last = 0
  return async (use) => {
    cleaned ??= rm(jobs, { recursive: true, force: true })
    await cleaned
    await mkdir(checkpoint, { recursive: true, mode: 0o700 })
    const folder = join(jobs, String(++last))
    await mkdir(folder, { recursive: true, mode: 0o700 })
    try {
      return await use(folder)
    } finally {
      await rm(folder, { recursive: true, force: true })
    }
  }
}

/** Tracks which modules' weights a trainer process does not have yet. */
export function changedWeights(): (modelFile: string | undefined, isFirst: boolean) => string[] {
  let last: string | undefined
  return (modelFile, isFirst) => {
    const isKnown = !isFirst && modelFile === last
    last = modelFile
    if (isKnown || modelFile === undefined) return []
    const { tensors, close } = openWeightFile(modelFile)
    close()
    return [...tensors.keys()].map((name) => name.replace(/\.weight$/, ''))
  }
}

/** A key derived from everything that the result of a request depends on. */
export function requestKey(parts: object): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex')
}
