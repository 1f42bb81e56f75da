import { createHash } from 'node:crypto'
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { runProgram } from './run-program.ts'

/** The environment cannot be had, for a reason outside the package: no registry, or too little time. */
export class NoEnvironment extends Error {
  override readonly name = 'NoEnvironment'
}

/** What pip says when it cannot reach the registry, or the registry has nothing for this Python. */
const UNREACHABLE =
  /NewConnectionError|NameResolutionError|ConnectTimeout|ReadTimeout|Read timed out|Connection (?:broken|refused|reset)|Temporary failure in name resolution|No matching distribution found|Network is unreachable/

/** Where the environment lies: outside the tree, since it holds PyTorch. */
export function environmentFolder(): string {
  return process.env.LOAM_TRAINER_ENV ?? join(homedir(), '.cache', 'loam', 'trainer-env')
}

/** How an environment may be had. */
export interface EnvironmentOptions {
  readonly folder: string
  /** The package's folder, whose pyproject.toml names what is needed. */
  readonly source: string
  /** Python to make it with, 3.10 or later. */
  readonly python: string
  /** Whether one that is not there may be made. */
  readonly mayInstall: boolean
  /** Time to make it, milliseconds. */
  readonly installMs: number
  readonly signal: AbortSignal
}

/**
 * The Python of an environment with everything that the package needs to be tested, but not the package: the one that is
 * cached, if it was made for the same pyproject.toml, or a new one.
 *
 * @throws {NoEnvironment} when it is not cached and may not be made, the registry cannot be reached, or time is up
 * @throws {Error} when pip fails for another reason
 */
export async function pythonEnvironment(options: EnvironmentOptions): Promise<string> {
  const { folder, source, python, mayInstall, installMs, signal } = options
  const program = join(folder, 'bin', 'python')
  const marker = join(folder, 'loam-trainer-environment')
  const project = await readFile(join(source, 'pyproject.toml'))
  const digest = createHash('sha256').update(project).digest('hex')
  if ((await readFile(marker, 'utf8').catch(() => '')) === digest) return program
  if (!mayInstall) throw new NoEnvironment(`no environment for this version in ${folder}`)
  await rm(marker, { force: true })
  await mkdir(folder, { recursive: true })
  const limited = AbortSignal.any([signal, AbortSignal.timeout(installMs)])
  const made = await runProgram(python, ['-m', 'venv', folder], { signal: limited })
  if (made.code !== 0)
    throw new NoEnvironment(`${python} makes no virtual environment: ${lastLine(made.output)}`)
  const pip = ['-m', 'pip', 'install', '--disable-pip-version-check', '--no-input', '--retries', '1']
  const installed = await runProgram(
    program,
    [...pip, '--quiet', 'setuptools>=77', `${source}[dev,ray,trl]`],
    { signal: limited }
  )
  signal.throwIfAborted()
  if (limited.aborted)
    throw new NoEnvironment(`the packages could not be installed within ${installMs / 1_000} seconds`)
  if (installed.code !== 0) {
    if (UNREACHABLE.test(installed.output))
      throw new NoEnvironment(`the Python package registry cannot be reached: ${lastLine(installed.output)}`)
    throw new Error(`pip cannot install what the package needs:\n${installed.output.slice(-2_000)}`)
  }
  const removed = await runProgram(program, ['-m', 'pip', 'uninstall', '--yes', '--quiet', 'loam-trainer'], {
    signal
  })
  if (removed.code !== 0) throw new Error(`pip cannot remove the package again: ${lastLine(removed.output)}`)
  await writeFile(marker, digest)
  return program
}

function lastLine(text: string): string {
  return text.trim().split('\n').at(-1) ?? ''
}
