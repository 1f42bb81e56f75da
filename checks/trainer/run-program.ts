import { spawn } from 'node:child_process'

/** What a program did. */
export interface ProgramRun {
  /** Exit code; null if a signal ended it. */
  readonly code: number | null
  /** Standard output and standard error as they came, the last of it. */
  readonly output: string
}

/** Characters of the output that are kept. */
const KEPT = 200_000

/** Runs a program to its end; what it prints goes to standard error as well. An aborted signal ends it. */
export function runProgram(
  program: string,
  args: readonly string[],
  options: {
    readonly cwd?: string
    readonly env?: Readonly<Record<string, string>>
    readonly signal: AbortSignal
  }
): Promise<ProgramRun> {
  const { cwd, env, signal } = options
  return new Promise((resolve) => {
    const child = spawn(program, args, {
      cwd,
      env: { ...process.env, ...env },
      signal,
      stdio: ['ignore', 'pipe', 'pipe']
    })
    let output = ''
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (bytes: Buffer) => {
        process.stderr.write(bytes)
        output = (output + bytes.toString()).slice(-KEPT)
      })
    child.on('error', (error) => {
      output += `\n${error.message}`
      if (child.pid === undefined) resolve({ code: null, output })
    })
    child.on('close', (code) => resolve({ code, output }))
  })
}
