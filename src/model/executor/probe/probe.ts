import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { ExecutorDevice } from '../choice.ts'
import type { Unavailability } from '../executor-error.ts'
import { packageVersion } from '../package-version.ts'
import type { ProbeAnswer } from './probe-process.ts'

/** How long an executor may take to compute a small graph, milliseconds: graphics drivers start slowly. */
const PROBE_MS = 30_000

/** Whether an executor works on this machine, and what it lacks if it does not. */
export interface ExecutorProbe extends ExecutorDevice, Partial<Unavailability> {
  readonly works: boolean
  /** The executor's npm package. */
  readonly package: string
  /** Its version, if it is installed. */
  readonly version?: string
}

/** How to probe. */
export interface ProbeOptions {
  /** Ends the probe, which is then rejected. */
  readonly signal?: AbortSignal
  /** Environment of its process, in place of this one's: native code should not see secrets. */
  readonly environment?: NodeJS.ProcessEnv
}

/**
 * Lets an executor compute a small graph in a separate process, so that a driver that crashes or hangs affects nothing
 * else, and its output is discarded.
 *
 * @throws the signal's reason, when it aborts
 */
export async function probeExecutor(
  which: ExecutorDevice,
  { signal, environment = process.env }: ProbeOptions = {}
): Promise<ExecutorProbe> {
  signal?.throwIfAborted()
  const name = packageOf(which)
  const version = packageVersion(name)
  const answer = await ask(which, environment, signal)
  signal?.throwIfAborted()
  return { ...which, package: name, ...(version !== undefined && { version }), ...answer }
}

function ask(
  { executor, device }: ExecutorDevice,
  env: NodeJS.ProcessEnv,
  signal: AbortSignal | undefined
): Promise<ProbeAnswer> {
  const entry = fileURLToPath(new URL('./probe-process.js', import.meta.url))
  const child = fork(entry, [executor, device], { stdio: ['ignore', 'ignore', 'ignore', 'ipc'], env })
  const end = () => child.kill('SIGKILL')
  let late = false
  const timer = setTimeout(() => {
    late = true
    end()
  }, PROBE_MS)
  signal?.addEventListener('abort', end, { once: true })
  return new Promise<ProbeAnswer>((resolve) => {
    const silent = (reason: string) =>
      resolve({ works: false, reason, remedy: 'Choose another executor or device' })
    child.once('message', (answer) => resolve(answer as ProbeAnswer))
    child.once('error', (error) => silent(`its process cannot be started (${error.message})`))
    child.once('exit', (code, ended) =>
      silent(late ? `it did not answer in ${PROBE_MS / 1000} s` : `its process ended (${ended ?? code})`)
    )
  }).finally(() => {
    clearTimeout(timer)
    signal?.removeEventListener('abort', end)
    end()
  })
}

function packageOf({ executor, device }: ExecutorDevice): string {
  if (executor !== 'tfjs') return executor === 'onnxruntime' ? 'onnxruntime-node' : 'onnxruntime-web'
  const suffix = {
    cuda: 'node-gpu',
    native: 'node',
    wasm: 'backend-wasm',
    cpu: 'backend-cpu',
    webgpu: 'core'
  }
  return `@tensorflow/tfjs-${suffix[device]}`
}
