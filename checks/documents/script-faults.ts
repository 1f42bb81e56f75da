import { mentionsOption } from './command-faults.ts'
import { type CommandLine, commandLinesOf } from './command-lines.ts'
import type { Document } from './document.ts'
import type { Fault } from './fault.ts'
import type { House } from './house.ts'

/** A script named without `npm run`: `test:unit`. */
const BARE_SCRIPT = /^(bench|check|docs|judge|lab|pretrain|test):[a-z0-9-]+$/

/** `npm run` lines whose script, name after `--` or flag does not exist. */
export function scriptFaults(document: Document, house: House): Fault[] {
  const bare = document.spans
    .filter(({ text }) => BARE_SCRIPT.test(text) && house.scripts[text] === undefined)
    .map(({ text, line }) => ({ path: document.path, line, what: `there is no npm run ${text}` }))
  const faulty = commandLinesOf(document)
    .filter(({ words }) => words[0] === 'npm')
    .flatMap((line) => faultsOf(line, house).map((what) => ({ path: document.path, line: line.line, what })))
  return [...bare, ...faulty]
}

/** Scripts of package.json that the contributors' table of scripts leaves out. */
export function undocumentedScripts(documents: readonly Document[], { scripts }: House): Fault[] {
  const path = 'CONTRIBUTING.md'
  const shown = documents
    .filter((document) => document.path === path)
    .flatMap((document) => commandLinesOf(document).map(({ words: [, verb, name] }) => name ?? verb))
  return Object.keys(scripts)
    .filter((name) => !shown.includes(name))
    .map((name) => ({ path, line: 1, what: `npm run ${name} is not shown` }))
}

function faultsOf({ words }: CommandLine, { scripts, sources }: House): string[] {
  const [, verb, name, ...rest] = words.filter((word) => word !== '--silent')
  if (verb !== 'run') return verb === 'test' && scripts.test === undefined ? ['there is no npm test'] : []
  if (name === undefined || /^[A-Z]/.test(name)) return []
  const command = scripts[name]
  if (command === undefined) return [`there is no npm run ${name}`]
  const given = rest[0] === '--' ? rest.slice(1) : []
  const names = namesOf(command, sources)
  const [first] = given
  if (names !== undefined && first !== undefined && /^[a-z]/.test(first) && !names.includes(first))
    return [`npm run ${name} knows no ${first}`]
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

/** The folders whose compiled files a script runs: `dist/sim/main.js` belongs to `sim/`. */
function roomsOf(command: string): string[] {
  const rooms = [...command.matchAll(/dist\/((?:src|scripts)\/\w+\/|\w+\/)/g)].map(([, room]) => room!)
  return command.includes(' testnet') ? [...rooms, 'scripts/testnet/', 'src/cli/'] : rooms
}

/** The programs that a script starts by name (`npm run bench -- train`), or undefined if it starts only one. */
function namesOf(command: string, sources: House['sources']): string[] | undefined {
  const file = /dist\/(\w+\/main)\.js/.exec(command)?.[1]
  const text = sources.get(`${file}.ts`)
  if (text === undefined || !text.includes('runNamed(')) return undefined
  return [...text.matchAll(/^ {4}'?([\w-]+)'?: \{/gm)].map(([, name]) => name!)
}
