import { fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { packageRoot } from '../../src/package-root.ts'

/** A black-box model in a separate process. */
export interface RemoteProcess {
  readonly url: string
  stop(): Promise<void>
}

/** Timeout for loading a model, ms. */
const LOADING_MS = 120_000

/**
 * Starts `loam serve` for a model.
 *
 * @throws {Error} if it exits or times out before it listens
 */
export async function startRemote(folder: string): Promise<RemoteProcess> {
  const command = join(packageRoot(), 'dist/src/cli/main.js')
  const args = ['serve', '--model', folder, '--port', '0', '--positions-per-minute', '1000000000']
  const child = fork(command, args, { stdio: ['ignore', 'ignore', 'pipe', 'ipc'] })
  let errors = ''
  child.stderr!.setEncoding('utf8').on('data', (text: string) => {
    errors = (errors + text).slice(-2_000)
  })
  const ended = once(child, 'exit').then(() => {
    throw new Error(`the remote exited: ${errors.trim()}`)
  })
  ended.catch(() => undefined)
  try {
    const listening = once(child, 'message', { signal: AbortSignal.timeout(LOADING_MS) })
    const [message] = await Promise.race([listening, ended])
    return {
      url: (message as { readonly url: string }).url,
      async stop() {
        child.kill('SIGTERM')
        await ended.catch(() => undefined)
      }
    }
  } catch (error) {
    child.kill('SIGKILL')
    throw error
  }
}
