import { type ExecFileException, execFile } from 'node:child_process'
import { commandFile } from '../../../src/package-root.ts'

/** The compiled command. */
export const LOAM = commandFile()

/** The outcome of a `loam` run. */
export interface Outcome {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** Runs the real command to its end. */
export function loam(...args: string[]): Promise<Outcome> {
  return loamWith({}, ...args)
}

/** Runs the real command with additional environment variables. */
export function loamWith(env: Record<string, string>, ...args: string[]): Promise<Outcome> {
  return new Promise((resolve) => {
    const options = { env: { ...process.env, ...env }, maxBuffer: 1 << 26 }
    execFile(
      process.execPath,
      [LOAM, ...args],
      options,
      (error: ExecFileException | null, stdout, stderr) => {
        resolve({
          code: typeof error?.code === 'number' ? error.code : error === null ? 0 : -1,
          stdout,
          stderr
        })
      }
    )
  })
}

/** The last line of an output, as JSON. */
export function lastLine<Result>({ stdout }: Outcome): Result {
  return JSON.parse(stdout.trimEnd().split('\n').at(-1)!)
}
