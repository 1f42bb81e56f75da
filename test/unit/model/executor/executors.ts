import {
  ALL_EXECUTORS,
  createExecutor,
  type Executor,
  type ExecutorDevice
} from '../../../../src/model/index.ts'

/** Executors that run on every machine: without those that need a GPU or a download. */
export const EXECUTORS_HERE: readonly Executor[] = ALL_EXECUTORS.filter(runsHere).map((each) =>
  createExecutor(each)
)

function runsHere({ device }: ExecutorDevice): boolean {
  return device === 'cpu' || device === 'wasm'
}

/** `onnxruntime-web on wasm` and the like. */
export function titleOf({ name, device }: Executor): string {
  return `${name} on ${device}`
}
