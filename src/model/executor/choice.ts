/** Every executor with its devices, the preferred one first. */
export const EXECUTOR_DEVICES = {
  onnxruntime: ['cpu', 'webgpu', 'cuda'],
  'onnxruntime-web': ['wasm'],
  tfjs: ['cuda', 'native', 'wasm', 'cpu']
} as const satisfies Record<string, readonly DeviceName[]>

/** Devices that compute a graph; `native` is TensorFlow's library on the processor. */
export const DEVICE_NAMES = ['cpu', 'webgpu', 'cuda', 'wasm', 'native'] as const

export type DeviceName = (typeof DEVICE_NAMES)[number]
export type ExecutorName = keyof typeof EXECUTOR_DEVICES

export const EXECUTOR_NAMES = Object.keys(EXECUTOR_DEVICES) as [ExecutorName, ...ExecutorName[]]

/** The user's request: an executor, a device, both or nothing. */
export interface ExecutorChoice {
  readonly executor?: ExecutorName | undefined
  readonly device?: DeviceName | undefined
}

/** One executor on one device. */
export interface ExecutorDevice {
  readonly executor: ExecutorName
  readonly device: DeviceName
}

/** Default candidates: those that run without a graphics card, the fastest first. */
const DEFAULTS: readonly ExecutorDevice[] = [
  { executor: 'onnxruntime', device: 'cpu' },
  { executor: 'onnxruntime-web', device: 'wasm' },
  { executor: 'tfjs', device: 'wasm' },
  { executor: 'tfjs', device: 'cpu' }
]

/** Every executor on every device it can have. */
export const ALL_EXECUTORS: readonly ExecutorDevice[] = EXECUTOR_NAMES.flatMap((executor) =>
  EXECUTOR_DEVICES[executor].map((device) => ({ executor, device }))
)

/**
 * The candidates that match a choice, in the order in which they are tried. An executor without a device means its
 * preferred working device, except that onnxruntime stays on the processor unless a device is given.
 *
 * @throws {Error} when the executor has no such device
 */
export function candidatesFor({ executor, device }: ExecutorChoice): readonly ExecutorDevice[] {
  if (executor === undefined && device === undefined) return DEFAULTS
  if (executor === 'onnxruntime' && device === undefined) return [{ executor, device: 'cpu' }]
  const found = ALL_EXECUTORS.filter(
    (each) => (executor ?? each.executor) === each.executor && (device ?? each.device) === each.device
  )
  if (found.length > 0) return found
  throw new Error(
    `${executor} has no device ${device}: it has ${EXECUTOR_DEVICES[executor!].join(', ')} (loam doctor shows what works here)`
  )
}
