import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'

/** A program that `npm run ROOM -- NAME` starts. */
export interface NamedProgram {
  /** What it does, in one line. */
  readonly summary: string
  /** The compiled file, relative to the room's `main.js`. */
  readonly file: string
  /** Flags for Node.js itself. */
  readonly nodeFlags?: readonly string[]
}

/** The programs of a room. */
export interface Room {
  /** Name of the npm script. */
  readonly room: string
  /** `import.meta.url` of the room's `main.ts`. */
  readonly url: string
  readonly programs: Readonly<Record<string, NamedProgram>>
  /** The program to start when the arguments name none; if absent, the programs are listed. */
  readonly fallback?: string
}

/** Exit code for incorrect usage. */
const USAGE = 2

/**
 * Starts the program named by the first argument in a child process, with the remaining arguments, and exits with its
 * code. `--help` instead of a name, or no argument at all, lists the programs; an unknown name exits with code 2.
 *
 * @param args arguments after `npm run ROOM --`
 */
export function runNamed(room: Room, args: readonly string[] = process.argv.slice(2)): void {
  const [name, rest] = choose(room, args)
  if (name === undefined) {
    process.stdout.write(listing(room))
    return
  }
  const program = Object.hasOwn(room.programs, name) ? room.programs[name] : undefined
  if (program === undefined) {
    process.stderr.write(`error: unknown name ${name}\n\n${listing(room)}`)
    process.exitCode = USAGE
    return
  }
  start(program, room.url, rest)
}

/** Lists a room's programs with their summaries. */
export function listing({ room, programs, fallback }: Room): string {
  const names = Object.keys(programs)
  const width = Math.max(...names.map((name) => name.length))
  const usage = fallback === undefined ? 'NAME' : '[NAME]'
  const lines = names.map((name) => {
    const isDefault = name === fallback ? ' (default)' : ''
    return `  ${name.padEnd(width)}  ${programs[name]!.summary}${isDefault}`
  })
  return [
    `Usage: npm run ${room} -- ${usage} [options]\n`,
    ...lines,
    `\nOptions of one: npm run ${room} -- NAME --help\n`
  ].join('\n')
}

function choose(
  { fallback }: Room,
  [first, ...rest]: readonly string[]
): [name: string | undefined, rest: readonly string[]] {
  if (first === '--help' || first === '-h') return [undefined, []]
  if (first !== undefined && !first.startsWith('-')) return [first, rest]
  if (fallback !== undefined) return [fallback, first === undefined ? [] : [first, ...rest]]
  return [first, rest]
}

function start({ file, nodeFlags = [] }: NamedProgram, url: string, args: readonly string[]): void {
  const path = fileURLToPath(new URL(file, url))
  const child = spawn(process.execPath, [...nodeFlags, path, ...args], { stdio: 'inherit' })
  // Ctrl-C reaches the child as well, which handles it itself; a signal sent to this process alone is passed on.
  process.on('SIGINT', () => undefined)
  process.on('SIGTERM', () => child.kill('SIGTERM'))
  child.on('error', (error) => {
    process.stderr.write(`error: cannot start ${path}: ${error.message}\n`)
    process.exitCode = 1
  })
  child.on('exit', (code, signal) => {
    if (signal === null) process.exitCode = code ?? 1
    else {
      process.removeAllListeners(signal)
      process.kill(process.pid, signal)
    }
  })
}
