import { Option } from 'commander'
import {
  candidatesFor,
  DEVICE_NAMES,
  type DeviceName,
  EXECUTOR_NAMES,
  type ExecutorChoice,
  type ExecutorName
} from '../../model/executor/choice.ts'
import type { Executor } from '../../model/index.ts'
import { printProgress } from '../terminal/output.ts'
import { UsageError } from '../terminal/usage-error.ts'

/** The values of `executorOption` and `deviceOption`. */
export interface ExecutorFlags {
  executor?: ExecutorName
  device?: DeviceName
}

/** `--executor`, for every command that computes. */
export function executorOption(): Option {
  return new Option(
    '--executor <name>',
    'executor to compute with (default: the best that works here)'
  ).choices(EXECUTOR_NAMES)
}

/** `--device`, which goes with `--executor`. */
export function deviceOption(): Option {
  return new Option(
    '--device <name>',
    'device to compute on (default: the processor); see loam doctor'
  ).choices(DEVICE_NAMES)
}

/**
 * Checks that the executor has the device, before anything is loaded.
 *
 * @throws {UsageError}
 */
export function requireExecutorChoice({ executor, device }: ExecutorFlags): ExecutorChoice {
  try {
    candidatesFor({ executor, device })
  } catch (error) {
    throw new UsageError((error as Error).message)
  }
  return { executor, device }
}

/**
 * The requested executor, ready to compile; prints a note on standard error if the usual one does not work.
 *
 * @throws {UsageError} when the executor has no such device
 * @throws {ExecutorUnavailableError} when it cannot be used on this machine
 */
export async function executorFromFlags(
  flags: ExecutorFlags & { readonly threads?: number }
): Promise<Executor> {
  const choice = requireExecutorChoice(flags)
  const { chooseExecutor } = await import('../../model/index.ts')
  const { threads = 1 } = flags
  return chooseExecutor({ ...choice, threads, onFallback: (reason) => printProgress(`note: ${reason}`) })
}
