import { mentionsOption } from './command-faults.ts'
import { type CommandLine, commandLinesOf } from './command-lines.ts'
import type { Document } from './document.ts'
import type { Fault } from './fault.ts'
import type { House } from './house.ts'

/** `npm run` lines whose script, name behind `--` or flag is not there. */
export function scriptFaults(document: Document, house: House): Fault[] {
  return commandLinesOf(document)
    .filter(({ words }) => words[0] === 'npm')
    .flatMap((line) => faultsOf(line, house).map((what) => ({ path: document.path, line: line.line, what })))
}

function faultsOf({ words }: CommandLine, { scripts, sources }: House): string[] {
  const [, verb, name, ...rest] = words.filter((word) => word !== '--silent')
  if (verb !== 'run') return verb === 'test' && scripts.test === undefined ? ['there is no npm test'] : []
  if (name === undefined || /^[A-Z]/.test(name)) return []
  const command = scripts[name]
  if (command === undefined) return [`there is no npm run ${name}`]
  const given = rest[0] === '--' ? rest.slice(1) : []
  const text = [...sources]
    .filter(([path]) => roomsOf(command).some((room) => path.startsWith(room)))
    .map(([, source]) => source)
    .join('\n')
  return given
    .filter((word) => /^--[a-z]/.test(word))
    .map((word) => word.split('=')[0]!)
    .filter((flag) => !mentionsOption(text, flag))
    .map((flag) => `npm run ${name} has no ${flag}`)
}

/** The folders whose compiled files a script runs: `dist/sim/main.js` is of `sim/`. */
function roomsOf(command: string): string[] {
  const rooms = [...command.matchAll(/dist\/((?:src|scripts)\/\w+\/|\w+\/)/g)].map(([, room]) => room!)
  return command.includes(' testnet') ? [...rooms, 'scripts/testnet/', 'src/cli/'] : rooms
}
