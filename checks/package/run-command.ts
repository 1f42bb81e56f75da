import { spawn } from 'node:child_process'

/** A command's output and exit code. */
export interface Finished {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** Runs a command in a folder; rejects unless it ends with code 0. */
export type RunCommand = (folder: string, ...command: readonly string[]) => Promise<Finished>

/** Timeout of one command, milliseconds: an installation or a testnet on a busy machine. */
const COMMAND_MS = 900_000
/** How many of the last characters of each output are kept. */
const OUTPUT_CHARACTERS = 4_000_000

/** Runs commands in an environment; each is passed to `onStart`. */
export function commandRunner(
  env: NodeJS.ProcessEnv,
  signal: AbortSignal,
  onStart: (command: string) => void
): { readonly run: RunCommand; readonly tryToRun: RunCommand } {
  const tryToRun: RunCommand = (folder, ...command) => {
    onStart(command.join(' '))
    return finish(folder, command, env, signal)
  }
  const run: RunCommand = async (folder, ...command) => {
    const finished = await tryToRun(folder, ...command)
    if (finished.code !== 0)
      throw new Error(
        `${command.join(' ')} ended with ${finished.code}:\n${finished.stderr}\n${finished.stdout}`
      )
    return finished
  }
  return { run, tryToRun }
}

function finish(
  cwd: string,
  [file, ...args]: readonly string[],
  env: NodeJS.ProcessEnv,
  signal: AbortSignal
): Promise<Finished> {
  const patience = AbortSignal.any([signal, AbortSignal.timeout(COMMAND_MS)])
  return new Promise((resolve, reject) => {
    const child = spawn(file!, args, { cwd, env, signal: patience, stdio: ['ignore', 'pipe', 'pipe'] })
    let [stdout, stderr] = ['', '']
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout = (stdout + text).slice(-OUTPUT_CHARACTERS)
    })
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr = (stderr + text).slice(-OUTPUT_CHARACTERS)
    })
    child.once('error', reject)
    child.once('close', (code) => resolve({ code, stdout, stderr }))
  })
}
