import { readFile, rm } from 'node:fs/promises'
import { z } from 'zod'
import type { Home } from '../home/home.ts'
import { runningDaemon } from '../home/process-lock.ts'
import { writeFileAtomic } from '../storage/index.ts'
import { BASE_FILES } from './base-protocol.ts'
import type { BaseProgress } from './fetch-file.ts'

/** Between two notes, milliseconds. */
const NOTE_MS = 1_000

const progressSchema = z.strictObject({
  pid: z.number().int(),
  file: z.enum(BASE_FILES),
  done: z.number(),
  total: z.number(),
  connected: z.number()
})

/** Notes in the home how far the fetching of its base is, for `loam status`: there is no control API before it is done. */
export class BaseProgressFile {
  readonly #home: Home
  #noted = Number.NEGATIVE_INFINITY
  #writing: Promise<void> = Promise.resolve()

  constructor(home: Home) {
    this.#home = home
  }

  note({ file, done, total, connected }: BaseProgress): void {
    const now = performance.now()
    if (now - this.#noted < NOTE_MS) return
    this.#noted = now
    const text = `${JSON.stringify({ pid: process.pid, file, done, total, connected })}\n`
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
