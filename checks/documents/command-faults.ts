import type { Command, Option } from 'commander'
import { type CommandLine, commandLinesOf } from './command-lines.ts'
import type { Document } from './document.ts'
import type { Fault } from './fault.ts'
import type { House } from './house.ts'

/** Placeholders: `COMMAND`, `<name>`, `…`. */
const PLACEHOLDER = /^([A-Z][A-Z_-]*…?|<.*>|…|\.\.\.)$/

/** Commands and flags that `loam` does not have, and shown commands that it would refuse. */
export function commandFaults(document: Document, { program }: House): Fault[] {
  return commandLinesOf(document)
    .filter(({ words }) => words[0] === 'loam')
    .flatMap((line) =>
      faultsOf(line, program).map((what) => ({ path: document.path, line: line.line, what }))
    )
}

function faultsOf({ words, isWhole }: CommandLine, program: Command): string[] {
  let commands: readonly Command[] = [program]
  let rest = words.slice(1)
  for (;;) {
    const [word] = rest
    const children = commands[0]!.commands
    if (word === undefined || children.length === 0 || word.startsWith('-') || PLACEHOLDER.test(word)) break
    const named = word.split('|').map((name) => children.find((child) => child.name() === name))
    const missing = word.split('|').filter((_, index) => named[index] === undefined)
    if (missing.length > 0) return [`there is no command ${pathOf(commands[0]!)} ${missing.join('|')}`]
    commands = named as Command[]
    rest = rest.slice(1)
  }
  return commands.flatMap((command) => argumentFaults(command, rest, isWhole))
}

function pathOf(command: Command): string {
  return command.parent === null ? command.name() : `${pathOf(command.parent)} ${command.name()}`
}

/** What a command would report for these words. */
function argumentFaults(command: Command, words: readonly string[], isWhole: boolean): string[] {
  const faults: string[] = []
  const given = new Set<Option>()
  let positions = 0
  for (let at = 0; at < words.length; at++) {
    const word = words[at]!
    if (!word.startsWith('-') || word === '-') {
      positions += 1
      continue
    }
    if (/^(-h|--help)$/.test(word)) return faults
    const option = optionOf(command, word.split('=')[0]!)
    if (option === undefined) {
      faults.push(`${pathOf(command)} has no ${word}`)
      continue
    }
    given.add(option)
    if (!option.required && !option.optional) continue
    if (!word.includes('=')) at += 1
    while (option.variadic && at + 1 < words.length && !words[at + 1]!.startsWith('-')) at += 1
  }
  const hasHelpOnly = words.includes('--version') || words.includes('-V')
  if (!isWhole || hasHelpOnly || words.some((word) => PLACEHOLDER.test(word) && word.startsWith('…')))
    return faults
  const { registeredArguments } = command
  const isVariadic = registeredArguments.some(({ variadic }) => variadic)
  if (positions > registeredArguments.length && !isVariadic)
    faults.push(`${pathOf(command)} takes ${registeredArguments.length} arguments, not ${positions}`)
  if (positions < registeredArguments.filter(({ required }) => required).length)
    faults.push(`${pathOf(command)} needs ${registeredArguments.map((one) => one.name()).join(', ')}`)
  for (const option of command.options)
    if (option.mandatory && !given.has(option)) faults.push(`${pathOf(command)} needs ${option.long}`)
  return faults
}

function optionOf({ options }: Command, word: string): Option | undefined {
  return options.find(({ long, short }) => word === long || word === short)
}

/** Every command, including the program itself. */
export function allCommands(command: Command): Command[] {
  return [command, ...command.commands.flatMap(allCommands)]
}

/** Flags in inline code that neither a command nor one of the repository's own programs has. */
export function flagFaults({ path, spans }: Document, { program, sources }: House): Fault[] {
  const flags = new Set(
    allCommands(program).flatMap(({ options }) => options.flatMap(({ long, short }) => [long, short]))
  )
  const scripts = [...sources].filter(([file]) => !file.startsWith('src/')).map(([, text]) => text)
  return spans.flatMap(({ text, line }) => {
    const flag = /^--[a-z][a-z0-9-]*/.exec(text)?.[0]
    if (flag === undefined || flags.has(flag) || OF_OTHER_PROGRAMS.has(flag)) return []
    const isOfScript = scripts.some((source) => mentionsOption(source, flag))
    return isOfScript ? [] : [{ path, line, what: `nothing has ${flag}` }]
  })
}

/** Whether a program's source has a flag: spelled out, or as a name for `parseArgs`. */
export function mentionsOption(source: string, flag: string): boolean {
  const name = flag.replace(/^--/, '')
  return new RegExp(`(--${name}\\b|['"]${name}['"]|\\b${name}:)`).test(source)
}

/** Flags of npm, Node.js, mocha and llama.cpp. */
const OF_OTHER_PROGRAMS: ReadonlySet<string> = new Set([
  '--version',
  '--help',
  '--ignore-scripts',
  '--omit',
  '--no-config',
  '--trace-gc',
  '--cpu-prof',
  '--lora'
])
