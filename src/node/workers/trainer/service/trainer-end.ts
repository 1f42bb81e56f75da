import { readdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { homeAt } from '../../../home/home.ts'
import { writeFileWhole } from '../../../storage/atomic-file.ts'
import { MESSAGE_BYTES_MAX } from '../external/channel.ts'
import type { ContractAnswer } from '../external/contract.ts'
import { messageFile, sessionFile, unreadMessages } from '../external/folder-channel.ts'
import { trainerFolders } from '../external/job-folders.ts'
import { lineSplitter } from '../external/lines.ts'

/** The trainer's end of a channel: the daemon's requests until it ends, and a way to answer. */
export interface TrainerEnd {
  /** Messages as parsed JSON. */
  readonly requests: AsyncIterable<unknown>
  answer(answer: ContractAnswer): Promise<void>
}

/** Communicates over standard input and output. */
export function standardStreams(): TrainerEnd {
  return {
    requests: linesOf(process.stdin),
    answer: (answer) =>
      new Promise((resolve) => process.stdout.write(`${JSON.stringify(answer)}\n`, () => resolve()))
  }
}

async function* linesOf(stream: NodeJS.ReadStream): AsyncGenerator<unknown, void, undefined> {
  const lines: string[] = []
  const split = lineSplitter(
    MESSAGE_BYTES_MAX,
    (line) => lines.push(line),
    (beginning) => {
      throw new Error(`a request has more than ${MESSAGE_BYTES_MAX} bytes: ${beginning}…`)
    }
  )
  for await (const piece of stream) {
    split(piece as Buffer)
    for (const line of lines.splice(0)) yield JSON.parse(line)
  }
}

const POLL_MS = 200

/**
 * Communicates through files in a home, and follows the daemon from one session to the next until the signal aborts.
 */
export function attachToHome(
  home: string,
  onSession: (end: TrainerEnd) => Promise<void>,
  signal: AbortSignal
): Promise<void> {
  const { root } = trainerFolders(homeAt(home).folder)
  const current = async (): Promise<string | undefined> => {
    try {
      return String(JSON.parse(await readFile(sessionFile(root), 'utf8')).session)
    } catch {
      return undefined
    }
  }
  const serve = async (): Promise<void> => {
    let last: string | undefined
    while (!signal.aborted) {
      const session = await current()
      if (session === undefined || session === last || !(await readdir(root)).includes(session))
        await pause(POLL_MS)
      else {
        last = session
        await onSession(sessionEnd(join(root, session), async () => (await current()) === session, signal))
      }
    }
  }
  return serve()
}

/** The trainer's end of one session; its requests end with the session. */
function sessionEnd(folder: string, isCurrent: () => Promise<boolean>, signal: AbortSignal): TrainerEnd {
  const [asked, answered] = ['requests', 'answers'].map((name) => join(folder, name))
  // An earlier trainer may have written some.
  let written: number | undefined
  const requests = async function* () {
    while (!signal.aborted && (await isCurrent())) {
      const [name] = await unreadMessages(asked!)
      if (name === undefined) await pause(POLL_MS)
      else {
        const path = join(asked!, name)
        const request: unknown = JSON.parse(await readFile(path, 'utf8'))
        await rm(path, { force: true })
        yield request
      }
    }
  }
  return {
    requests: requests(),
    async answer(answer) {
      written ??= Number.parseInt((await unreadMessages(answered!)).at(-1) ?? '0', 10)
      const path = join(answered!, messageFile(++written))
      await writeFileWhole(path, new TextEncoder().encode(`${JSON.stringify(answer)}\n`))
    }
  }
}
