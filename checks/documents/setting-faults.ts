import type { Command } from 'commander'
import { peerConfigSchema, SETTINGS, settingsReference } from '../../src/node/config/index.ts'
import { defaultText } from '../../src/node/config/reference.ts'
import { GROUP_NAMES } from '../../src/node/config/schema.ts'
import { allCommands } from './command-faults.ts'
import { commandLinesOf } from './command-lines.ts'
import { codeOf, type Document, type Table } from './document.ts'
import type { Fault } from './fault.ts'
import type { House } from './house.ts'

/** The document with the generated table of settings. */
const REFERENCE = 'docs/configuration.md'

/** Settings, examples of peer.json and defaults that differ from the schema's or the command's. */
export function settingFaults(document: Document, house: House): Fault[] {
  return [
    ...referenceFaults(document),
    ...unknownSettings(document),
    ...statedDefaults(document),
    ...exampleFaults(document),
    ...optionTableFaults(document, house)
  ]
}

function referenceFaults({ path, text }: Document): Fault[] {
  if (path !== REFERENCE || text.includes(settingsReference())) return []
  return [
    { path, line: 1, what: 'the table of settings does not match the schema: run npm run check -- settings' }
  ]
}

const KEY = new RegExp(`^(${GROUP_NAMES.join('|')})\\.(?!json$|log$|ts$)[a-z][A-Za-z]+$`)

function unknownSettings({ path, spans }: Document): Fault[] {
  return spans
    .filter(({ text }) => KEY.test(text) && !SETTINGS.some(({ key }) => key === text))
    .map(({ text, line }) => ({ path, line, what: `there is no setting ${text}` }))
}

/** `storage.keepYoung` (3600): a number in brackets after a setting is its default. */
function statedDefaults({ path, text }: Document): Fault[] {
  return [...text.matchAll(/`([a-z]+\.[A-Za-z]+)` \((\d[^)]*)\)/g)].flatMap(
    ({ 1: key, 2: stated, index }) => {
      const setting = SETTINGS.find((one) => one.key === key)
      if (setting === undefined) return []
      const plain = Number(stated)
      const read = setting.schema.safeParse(Number.isNaN(plain) ? stated : plain)
      if (read.success && read.data === setting.defaultValue) return []
      const line = text.slice(0, index).split('\n').length
      return [{ path, line, what: `${key} is ${defaultText(setting)} by default, not ${stated}` }]
    }
  )
}

/** Blocks of JSON that are a peer.json: those that have one of its groups. */
function exampleFaults({ path, blocks }: Document): Fault[] {
  return blocks.flatMap(({ text, line, language }) => {
    if (!language.startsWith('json')) return []
    let value: unknown
    try {
      value = JSON.parse(text)
    } catch {
      return []
    }
    const hasGroup = GROUP_NAMES.some((name) => typeof (value as Record<string, unknown>)[name] === 'object')
    if (!hasGroup && !language.includes('peer.json')) return []
    const read = peerConfigSchema.partial({ model: true }).safeParse(value)
    if (read.success) return []
    const { path: key, message } = read.error.issues[0]!
    return [{ path, line, what: `this peer.json would be refused: ${key.join('.')} ${message}` }]
  })
}

/** Tables of a command's options with their defaults must follow a block that shows the command. */
function optionTableFaults(document: Document, { program }: House): Fault[] {
  return document.tables
    .filter(({ header }) => header[0] === 'option' && header[1] === 'default')
    .flatMap((table) => {
      const command = commandAbove(document, table, program)
      if (command === undefined)
        return [
          { path: document.path, line: table.line, what: 'a table of options without a command above it' }
        ]
      return table.rows.flatMap(([option = '', stated = ''], index) => {
        const [flag] = codeOf(option)
        const known = command.options.find(({ long }) => long === flag)
        if (known === undefined) return []
        const wanted =
          known.defaultValueDescription ?? describedDefault(known.defaultValue, known.description)
        const given = stated.replaceAll('`', '')
        if (wanted === given) return []
        const what = `${flag} is ${wanted ?? 'said to have no default'} in --help, not ${given}`
        return [{ path: document.path, line: table.line + 2 + index, what }]
      })
    })
}

function describedDefault(value: unknown, description: string): string | undefined {
  if (value === undefined) return /\(default: (.*)\)$/.exec(description)?.[1]
  return Array.isArray(value) ? value.join(',') : String(value)
}

function commandAbove(document: Document, table: Table, program: Command): Command | undefined {
  const above = commandLinesOf(document).filter(
    ({ isWhole, line, words }) => isWhole && line < table.line && words[0] === 'loam'
  )
  const words = above.toSorted((left, right) => right.line - left.line)[0]?.words
  return words === undefined ? undefined : deepest(program, words.slice(1))
}

function deepest(command: Command, [word, ...rest]: readonly string[]): Command {
  const child = command.commands.find((one) => one.name() === word)
  return child === undefined ? command : deepest(child, rest)
}

/** Commands that no document shows. */
export function undocumentedCommands(documents: readonly Document[], { program }: House): Fault[] {
  const shown = documents.flatMap((document) => commandLinesOf(document).map(({ words }) => words))
  const names = shown.flatMap(([first, second = '']) => (first === 'loam' ? second.split('|') : []))
  return program.commands
    .filter((command) => !names.includes(command.name()) && allCommands(command).length > 0)
    .map((command) => ({ path: 'README.md', line: 1, what: `no document shows loam ${command.name()}` }))
}
