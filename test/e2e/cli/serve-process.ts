import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { LOAM, type Outcome } from './loam.ts'

/** `loam serve` while it runs. */
export interface ServeProcess {
  readonly url: string
  readonly child: ChildProcess
  /** Sends a signal, and waits for the end. */
  stop(signal?: NodeJS.Signals): Promise<Outcome>
}

/** Starts the real command on a free port, and waits until it listens. */
export async function startServe(env: Record<string, string>, ...args: string[]): Promise<ServeProcess> {
  const child = fork(LOAM, ['serve', '--port', '0', ...args], {
    env: { ...process.env, ...env },
    silent: true
  })
  let [stdout, stderr] = ['', '']
  child.stdout!.setEncoding('utf8').on('data', (text: string) => {
    stdout += text
  })
  child.stderr!.setEncoding('utf8').on('data', (text: string) => {
    stderr += text
  })
  const ended = once(child, 'close') as Promise<[number | null]>
  const url = await new Promise<string>((resolve, reject) => {
    child.on('message', (message: { type?: string; url?: string }) => {
      if (message.type === 'listening') resolve(message.url!)
    })
    void ended.then(() => reject(new Error(`loam serve has ended: ${stderr}`)))
  })
  return {
    url,
    child,
    async stop(signal = 'SIGTERM') {
      child.kill(signal)
      const [code] = await ended
      return { code: code ?? -1, stdout, stderr }
    }
  }
}
