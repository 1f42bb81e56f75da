import { readFile, rm } from 'node:fs/promises'
import { z } from 'zod'
import type { Home } from '../home/home.ts'
import { runningDaemon } from '../home/process-lock.ts'
import { writeFileAtomic } from '../storage/atomic-file.ts'

/** Between two notes, milliseconds. */
const NOTE_MS = 1_000

const progressSchema = z.strictObject({
  pid: z.number().int(),
  done: z.number(),
  total: z.number(),
  connected: z.number(),
  providers: z.number()
})

/** How far the fetching of a base model is. */
export interface BaseProgress {
  /** Bytes of its files that are here, of all. */
  readonly done: number
  readonly total: number
  /** Members that are connected. */
  readonly connected: number
  /** Those of them that tell that they have all of it. */
  readonly providers: number
}

/** Notes in the home how far the fetching of its base is, for `loam status`: there is no control API before it is done. */
export class BaseProgressFile {
  readonly #home: Home
  #noted = Number.NEGATIVE_INFINITY
  #writing: Promise<void> = Promise.resolve()

  constructor(home: Home) {
    this.#home = home
  }

  note(progress: BaseProgress): void {
    const now = performance.now()
    if (now - this.#noted < NOTE_MS) return
    this.#noted = now
    const text = `${JSON.stringify({ pid: process.pid, ...progress })}\n`
    this.#writing = this.#writing.then(async () => {
      // A full disk is told of by what fills it.
      await writeFileAtomic(this.#home.baseProgress, new TextEncoder().encode(text)).catch(() => undefined)
    })
  }

  async end(): Promise<void> {
    await this.#writing
    await rm(this.#home.baseProgress, { force: true })
  }
}

/** How far the process that fetches a home's base is; undefined where none does. */
export async function readBaseProgress(home: Home): Promise<(BaseProgress & { pid: number }) | undefined> {
  try {
    const progress = progressSchema.parse(JSON.parse(await readFile(home.baseProgress, 'utf8')))
    return (await runningDaemon(home)) === progress.pid ? progress : undefined
  } catch {
    // It is there for a few minutes, and may be gone between two looks.
    return undefined
  }
}
