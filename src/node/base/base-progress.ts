import { readFile, rm } from 'node:fs/promises'
import { z } from 'zod'
import type { Home } from '../home/home.ts'
import { runningDaemon } from '../home/process-lock.ts'
import { writeFileAtomic } from '../storage/atomic-file.ts'

/** Time between two writes of the progress file, milliseconds. */
const NOTE_MS = 1_000

const progressSchema = z.strictObject({
  pid: z.number().int(),
  done: z.number(),
  total: z.number(),
  connected: z.number(),
  providers: z.number()
})

/** Progress of fetching a base model. */
export interface BaseProgress {
  /** Bytes fetched so far, and the total. */
  readonly done: number
  readonly total: number
  /** Connected members. */
  readonly connected: number
  /** Connected members that announce the complete base model. */
  readonly providers: number
}

/** Writes the progress of the fetch to the home, for `loam status`: the control API only starts afterwards. */
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
      // A full disk is reported by the fetch itself.
      await writeFileAtomic(this.#home.baseProgress, new TextEncoder().encode(text)).catch(() => undefined)
    })
  }

  async end(): Promise<void> {
    await this.#writing
    await rm(this.#home.baseProgress, { force: true })
  }
}

/** Progress of the process that is fetching a home's base model; undefined if there is none. */
export async function readBaseProgress(home: Home): Promise<(BaseProgress & { pid: number }) | undefined> {
  try {
    const progress = progressSchema.parse(JSON.parse(await readFile(home.baseProgress, 'utf8')))
    return (await runningDaemon(home)) === progress.pid ? progress : undefined
  } catch {
    // The file exists for a few minutes only, and may vanish between two reads.
    return undefined
  }
}
