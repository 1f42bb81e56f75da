import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import type { DeviceName } from '../choice.ts'
import { ExecutorUnavailableError, unavailablePackage } from '../executor-error.ts'

/** The functions of tfjs-core, which every TensorFlow.js package shares. */
export type Tfjs = typeof import('@tensorflow/tfjs-core')

/** Devices that TensorFlow.js can compute on. */
export type TfjsDevice = Extract<DeviceName, 'cuda' | 'native' | 'wasm' | 'cpu'>

/** TensorFlow.js with one of its backends initialised. */
export interface LoadedTfjs {
  readonly tf: Tfjs
  /** Name of the registered backend. */
  readonly backend: string
}

/** The package of each device. Those with TensorFlow's native library download it when they are installed. */
const PACKAGES = {
  cuda: '@tensorflow/tfjs-node-gpu',
  native: '@tensorflow/tfjs-node',
  wasm: '@tensorflow/tfjs-backend-wasm',
  cpu: '@tensorflow/tfjs-backend-cpu'
} as const satisfies Record<TfjsDevice, string>

const loading = new Map<TfjsDevice, Promise<LoadedTfjs>>()

/**
 * TensorFlow.js on a device.
 *
 * @throws {ExecutorUnavailableError} when its package is missing or cannot be loaded
 */
export function loadTfjs(device: TfjsDevice): Promise<LoadedTfjs> {
  const known = loading.get(device)
  if (known) return known
  const load = device === 'cuda' || device === 'native' ? loadNative(device) : loadBundled(device)
  loading.set(device, load)
  return load
}

async function loadNative(device: 'cuda' | 'native'): Promise<LoadedTfjs> {
  let tf: Tfjs
  try {
    const module = (await import(PACKAGES[device])) as Tfjs & { readonly default?: Tfjs }
    tf = module.default ?? module
  } catch (cause) {
    throw unavailable(device, cause)
  }
  return ready(tf, device, 'tensorflow')
}

async function loadBundled(device: 'wasm' | 'cpu'): Promise<LoadedTfjs> {
  let tf: Tfjs
  try {
    tf = await import('@tensorflow/tfjs-core')
    // Without it, every operator checks its inputs for NaN, and a message on the console advertises tfjs-node.
    tf.enableProdMode()
    if (device === 'cpu') await import('@tensorflow/tfjs-backend-cpu')
    else {
      const { setWasmPaths } = await import('@tensorflow/tfjs-backend-wasm')
      const entry = createRequire(import.meta.url).resolve('@tensorflow/tfjs-backend-wasm')
      setWasmPaths(join(dirname(entry), '/'))
    }
  } catch (cause) {
    throw unavailable(device, cause)
  }
  return ready(tf, device, device)
}

function unavailable(device: TfjsDevice, cause: unknown): ExecutorUnavailableError {
  const withScripts = device === 'cuda' || device === 'native'
  const needs = {
    cuda: 'It needs Node.js 20 or 22, an NVIDIA card, CUDA 11.2 and cuDNN 8.1',
    native: 'It needs Node.js 20 or 22',
    wasm: undefined,
    cpu: undefined
  }[device]
  const told = unavailablePackage(PACKAGES[device], cause, {
    withScripts,
    ...(needs !== undefined && { needs })
  })
  return new ExecutorUnavailableError({ executor: 'tfjs', device }, told, { cause })
}

async function ready(tf: Tfjs, device: TfjsDevice, backend: string): Promise<LoadedTfjs> {
  if (!(await tf.setBackend(backend))) throw unavailable(device, new Error('its backend cannot be started'))
  return { tf, backend }
}
