import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Case, Outcome } from './case.ts'

const COMMAND_MS = 60_000
const OUTPUT_BYTES_MAX = 16 * 1024 * 1024

/** The built command to run, and the folder of the cases. */
export interface CaseRunner {
  readonly command: string
  readonly cases: string
}

/** The outcomes of a case's commands. */
export interface CaseRun {
  readonly outcome: Outcome
  readonly first: Outcome | undefined
}

/** Runs the commands of a case in an empty folder, which is removed. */
export async function runCase({ command, before, file }: Case, runner: CaseRunner): Promise<CaseRun> {
  const out = await mkdtemp(join(tmpdir(), 'loam-case-'))
  try {
    const first = before === undefined ? undefined : await runLine(before, out, runner)
    const outcome = await runLine(command, out, runner)
    if (file === undefined || outcome.code !== 0) return { outcome, first }
    const json = JSON.parse(await readFile(file.replace('{out}', out), 'utf8')) as Record<string, unknown>
    return { outcome: { ...outcome, json }, first }
  } finally {
    await rm(out, { recursive: true, force: true })
  }
}

function runLine(line: string, out: string, { command, cases }: CaseRunner): Promise<Outcome> {
  const args = line.split(' ').map((word) => word.replace('{cases}', cases).replace('{out}', out))
  return new Promise((resolve) => {
    const options = { cwd: out, timeout: COMMAND_MS, maxBuffer: OUTPUT_BYTES_MAX }
    execFile(process.execPath, [command, ...args], options, (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === 'number' ? error.code : -1
      resolve({ code, stdout, stderr, json: lastObject(stdout) })
    })
  })
}

function lastObject(stdout: string): Record<string, unknown> | undefined {
  const line = stdout.trim().split('\n').at(-1) ?? ''
  if (!line.startsWith('{')) return undefined
  try {
    return JSON.parse(line) as Record<string, unknown>
  } catch {
    return undefined
  }
}
