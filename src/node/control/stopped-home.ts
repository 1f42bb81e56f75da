import { existsSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { readCharter } from '../home/charter-file.ts'
import { type RoundEvaluation, readEvaluation } from '../home/evaluation-file.ts'
import type { Home } from '../home/home.ts'
import { loadIdentity } from '../home/identity.ts'
import type { RoundSummary } from '../home/peer-report.ts'
import { runningDaemon } from '../home/process-lock.ts'
import { readSealedRounds } from '../home/round-store.ts'
import { roundSummary } from '../home/round-summary.ts'
import { isMissing } from '../storage/peer-error.ts'
import { type LogFilter, wantsLine } from './log-filter.ts'
import { type RoundView, storedView } from './views.ts'

/** What `loam status` shows of a peer that does not run. */
export interface StoppedView {
  readonly ready: false
  readonly reasons: readonly string[]
  readonly phase: 'stopped'
  readonly home: string
  readonly lastSealed: RoundSummary | null
}

/** A home whose daemon does not run, read from its files. */
export interface StoppedHome {
  /** @throws {PeerError} at the first invalid round */
  status(): Promise<StoppedView>
  /** The last `limit` sealed rounds before `before`, newest first. @throws as {@link status} */
  rounds(limit: number, before?: number): Promise<RoundView[]>
  /** What was measured on the held-out text in a round; undefined if nothing was. */
  evaluation(round: number): Promise<RoundEvaluation | undefined>
  /** The last lines of the log that a filter lets through, oldest first, as far as its last mebibyte goes. */
  logs(count: number, filter: LogFilter): Promise<unknown[]>
}

/** Bytes that are read from the end of the log. */
const LOG_BYTES_MAX = 1024 * 1024

/** A home that has a charter and whose daemon does not run; undefined otherwise. */
export async function stoppedHome(home: Home): Promise<StoppedHome | undefined> {
  if (!existsSync(home.charter) || (await runningDaemon(home)) !== undefined) return undefined
  const summaries = async (): Promise<RoundSummary[]> => {
    const sealed = await readSealedRounds(home, await readCharter(home.charter))
    return sealed.map(({ context, sealedRound }) => roundSummary(context, sealedRound))
  }
  return {
    async status() {
      const reasons = [`no daemon runs: start it with loam peer --home ${home.folder}`]
      const lastSealed = (await summaries()).at(-1) ?? null
      return { ready: false, reasons, phase: 'stopped', home: home.folder, lastSealed }
    },
    async rounds(limit, before = Number.POSITIVE_INFINITY) {
      const identity = await loadIdentity(home.identity)
      const wanted = (await summaries()).filter(({ round }) => round < before).slice(-limit)
      return Promise.all(
        wanted.reverse().map(async (summary) => {
          const stored = await storedView(home, summary, identity?.peerId)
          return { ...stored, ms: null, bytesReceived: null }
        })
      )
    },
    evaluation: (round) => readEvaluation(home, round),
    async logs(count, filter) {
      const wanted = (await lastLines(home.log)).map(parsed).filter((line) => wantsLine(filter, line))
      return count === 0 ? [] : wanted.slice(-count)
    }
  }
}

async function lastLines(path: string): Promise<string[]> {
  try {
    const file = await open(path, 'r')
    try {
      const { size } = await file.stat()
      const start = Math.max(0, size - LOG_BYTES_MAX)
      const buffer = Buffer.alloc(size - start)
      const { bytesRead } = await file.read(buffer, 0, buffer.length, start)
      const lines = buffer.toString('utf8', 0, bytesRead).split('\n')
      // The first one may begin in the middle.
      return start === 0 ? lines : lines.slice(1)
    } finally {
      await file.close()
    }
  } catch (error) {
    if (isMissing(error)) return []
    throw error
  }
}

/** A crash may have cut a line off. */
function parsed(line: string): unknown {
  try {
    return JSON.parse(line)
  } catch {
    return undefined
  }
}
