import { GraphBuilder, matMul } from '../graph/index.ts'
import { candidatesFor, type ExecutorChoice, type ExecutorDevice } from './choice.ts'
import type { Executor } from './executor.ts'
import { ExecutorUnavailableError, firstLineOf } from './executor-error.ts'
import { createOnnxRuntimeExecutor, type OnnxRuntimeDevice } from './onnxruntime.ts'
import { createOnnxRuntimeWebExecutor } from './onnxruntime-web.ts'
import { createTfjsExecutor, type TfjsDevice } from './tfjs/index.ts'

/** Options of an executor. */
export interface ExecutorSettings {
  /** Threads inside one operator, if the executor can set them; 1 if absent. */
  readonly threads?: number
}

/** Options of the choice. */
export interface ChooseExecutorOptions extends ExecutorChoice, ExecutorSettings {
  /** Receives which executor replaces the preferred one and why, if none was requested. */
  readonly onFallback?: (reason: string) => void
}

/**
 * The requested executor, or else the best that works here. It has already computed a small graph when it is returned.
 *
 * @throws {ExecutorUnavailableError} when the requested one cannot be used; the message says what to do
 * @throws {Error} when the requested executor does not have the requested device
 */
export async function chooseExecutor(options: ChooseExecutorOptions = {}): Promise<Executor> {
  const candidates = candidatesFor(options)
  const refusals: ExecutorUnavailableError[] = []
  for (const candidate of candidates) {
    try {
      const executor = createExecutor(candidate, options)
      await requireWorking(executor)
      const nothingAsked = options.executor === undefined && options.device === undefined
      if (nothingAsked && refusals[0])
        options.onFallback?.(
          `computing with ${candidate.executor} on ${candidate.device}, which is slower: ${refusals[0].message}`
        )
      return executor
    } catch (error) {
      refusals.push(asUnavailable(candidate, error))
    }
  }
  throw refusals.length === 1 ? refusals[0]! : noneWorks(candidates, refusals)
}

/** An executor on a device, not tried yet: missing parts show when it compiles its first graph. */
export function createExecutor(
  { executor, device }: ExecutorDevice,
  { threads = 1 }: ExecutorSettings = {}
): Executor {
  switch (executor) {
    case 'onnxruntime':
      return createOnnxRuntimeExecutor({ threads, device: device as OnnxRuntimeDevice })
    case 'onnxruntime-web':
      return createOnnxRuntimeWebExecutor({ threads })
    case 'tfjs':
      return createTfjsExecutor({ device: device as TfjsDevice })
  }
}

/**
 * Lets an executor compute [[1, 2]] · [[3], [4]].
 *
 * @throws {Error} when it cannot be used, or does not compute 11
 */
export async function requireWorking(executor: Executor): Promise<void> {
  const builder = new GraphBuilder()
  const y = matMul(builder.input('a', [1, 2]), builder.input('b', [2, 1]))
  const compiled = await executor.compile(builder.build({ y }))
  const feeds = new Map([
    ['a', Float32Array.of(1, 2)],
    ['b', Float32Array.of(3, 4)]
  ])
  const [found] = (await compiled.run(feeds)).get('y')!
  await compiled.dispose()
  if (found !== 11) throw new Error(`it computed 1·3 + 2·4 = ${found}`)
}

function asUnavailable(candidate: ExecutorDevice, error: unknown): ExecutorUnavailableError {
  if (error instanceof ExecutorUnavailableError) return error
  const remedy = 'Choose another one with --executor or --device; loam doctor shows what works here'
  return new ExecutorUnavailableError(candidate, { reason: firstLineOf(error), remedy }, { cause: error })
}

function noneWorks(
  candidates: readonly ExecutorDevice[],
  refusals: readonly ExecutorUnavailableError[]
): ExecutorUnavailableError {
  const reasons = candidates.map(
    ({ executor, device }, index) => `${executor} on ${device}: ${refusals[index]!.reason}`
  )
  return new ExecutorUnavailableError(candidates[0]!, {
    reason: `no matching executor works here (${reasons.join('; ')})`,
    remedy: 'To see what to install, run',
    install: 'loam doctor'
  })
}
