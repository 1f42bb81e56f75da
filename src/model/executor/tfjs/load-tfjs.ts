import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import type { DeviceName } from '../choice.ts'
import { ExecutorUnavailableError, firstLineOf } from '../executor-error.ts'

/** The functions of tfjs-core, which every TensorFlow.js package shares. */
export type Tfjs = typeof import('@tensorflow/tfjs-core')

/** Devices that TensorFlow.js can compute on. */
export type TfjsDevice = Extract<DeviceName, 'cuda' | 'native' | 'wasm' | 'cpu'>

/** TensorFlow.js with one of its backends made ready. */
export interface LoadedTfjs {
  readonly tf: Tfjs
  /** Name under which the backend is registered. */
  readonly backend: string
}

/** Packages that bring TensorFlow's own library; npm installs neither, as their set-up downloads it. */
const NATIVE_PACKAGES = { cuda: '@tensorflow/tfjs-node-gpu', native: '@tensorflow/tfjs-node' } as const

const loading = new Map<TfjsDevice, Promise<LoadedTfjs>>()

/**
 * TensorFlow.js on a device.
 *
 * @throws {ExecutorUnavailableError} when its package is missing or does not load
 */
export function loadTfjs(device: TfjsDevice): Promise<LoadedTfjs> {
  const known = loading.get(device)
  if (known) return known
  const load = device === 'cuda' || device === 'native' ? loadNative(device) : loadBundled(device)
  loading.set(device, load)
  return load
}

async function loadNative(device: 'cuda' | 'native'): Promise<LoadedTfjs> {
  const name = NATIVE_PACKAGES[device]
  const unavailable = (reason: string, cause: unknown) =>
    new ExecutorUnavailableError(
      { executor: 'tfjs', device },
      {
        reason,
        remedy:
          device === 'cuda'
            ? 'It needs Node.js 20 or 22, an NVIDIA card, CUDA 11.2 and cuDNN 8.1, and is installed by'
            : 'It needs Node.js 20 or 22, and is installed by',
        install: `npm install --no-save --ignore-scripts=false ${name}@4.22.0`
      },
      { cause }
    )
  let tf: Tfjs
  try {
    const module = (await import(name)) as Tfjs & { readonly default?: Tfjs }
    tf = module.default ?? module
  } catch (cause) {
    const missing = (cause as NodeJS.ErrnoException).code === 'ERR_MODULE_NOT_FOUND'
    throw unavailable(
      missing ? `${name} is not installed` : `${name} does not load (${firstLineOf(cause)})`,
      cause
    )
  }
  return ready(tf, 'tensorflow', () => unavailable(`${name} does not start`, undefined))
}

async function loadBundled(device: 'wasm' | 'cpu'): Promise<LoadedTfjs> {
  const unavailable = (reason: string, cause: unknown) =>
    new ExecutorUnavailableError(
      { executor: 'tfjs', device },
      { reason, remedy: 'Install it again', install: 'npm ci' },
      { cause }
    )
  let tf: Tfjs
  try {
    tf = await import('@tensorflow/tfjs-core')
    // Without it every operator looks for NaN in its inputs, and a note on the console advertises tfjs-node.
    tf.enableProdMode()
    if (device === 'cpu') await import('@tensorflow/tfjs-backend-cpu')
    else {
      const { setWasmPaths } = await import('@tensorflow/tfjs-backend-wasm')
      const entry = createRequire(import.meta.url).resolve('@tensorflow/tfjs-backend-wasm')
      setWasmPaths(join(dirname(entry), '/'))
    }
  } catch (cause) {
    throw unavailable(`TensorFlow.js does not load (${firstLineOf(cause)})`, cause)
  }
  return ready(tf, device, () => unavailable(`its ${device} backend does not start`, undefined))
}

async function ready(tf: Tfjs, backend: string, failure: () => Error): Promise<LoadedTfjs> {
  if (!(await tf.setBackend(backend))) throw failure()
  return { tf, backend }
}
