import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { type Command, Option } from 'commander'
import {
  defaultText,
  NO_HELD_OUT,
  SETTINGS,
  type Setting,
  type SettingValues,
  settingOf,
  valueOfText,
  withUnit
} from '../../node/config/index.ts'
import { homeAt } from '../../node/home/home.ts'
import { UsageError } from '../terminal/usage-error.ts'
import { baseModelFolder, homeModelFolder } from './shipped-model.ts'

/** Parsed flags of a command to which {@link addFlags} was applied. */
export type SettingFlags = Readonly<Record<string, unknown>>

/** Adds flags for settings to a command; names, help, checks and defaults come from the schema. */
export function addFlags(command: Command, settings: readonly Setting[]): Command {
  for (const setting of settings) for (const option of optionsOf(setting)) command.addOption(option)
  return command
}

/** Adds flags for some of a peer's settings to a command. */
export function addFlagsOf(command: Command, ...keys: readonly string[]): Command {
  return addFlags(command, keys.map(settingOf))
}

/** Adds flags for all of a peer's settings to a command, and `--set` for those without a flag. */
export function addSettingFlags(command: Command): Command {
  return addFlags(command, SETTINGS).addOption(
    new Option('--set <key=value...>', 'any setting by its name in peer.json; loam config print lists them')
  )
}

/** The settings given as flags, by key. */
export function givenFlags(
  command: Command,
  flags: SettingFlags,
  settings: readonly Setting[]
): Record<string, unknown> {
  const values: Record<string, unknown> = {}
  for (const setting of settings) {
    const [option] = optionsOf(setting)
    if (option === undefined || command.getOptionValueSource(option.attributeName()) !== 'cli') continue
    values[setting.key] = flags[option.attributeName()]
  }
  return values
}

/**
 * The settings of a peer given by flags, by key. Paths are made absolute, since a peer may run in a different folder
 * from the command that started it.
 *
 * @throws {UsageError} for a `--set` with an unknown setting or an invalid value
 */
export function settingsOfFlags(command: Command, flags: SettingFlags): SettingValues {
  const values: Record<string, unknown> = {}
  for (const assignment of (flags.set as string[] | undefined) ?? []) {
    const [, key, text] = /^([^=]+)=(.*)$/s.exec(assignment) ?? []
    if (key === undefined) throw new UsageError(`--set needs KEY=VALUE, got ${JSON.stringify(assignment)}`)
    values[key] = fromText(knownSetting(key), text!)
  }
  Object.assign(values, givenFlags(command, flags, SETTINGS))
  return Object.fromEntries(Object.entries(values).map(([key, value]) => [key, absolute(key, value)]))
}

/** The default shown for a setting of a peer. */
export function settingDefaults(homeFolder: string): SettingValues {
  const home = homeAt(homeFolder)
  return { model: homeModelFolder(home), documents: home.documents }
}

function optionsOf(setting: Setting): Option[] {
  const { flag, kind } = setting
  if (flag === undefined) return []
  const option = new Option(flag, helpOf(setting))
  if (kind === 'boolean') return [option, new Option(flag.replace('--', '--no-'), `turn off ${flag}`)]
  return isRepeated(setting) ? [option] : [option.argParser((text) => fromText(setting, text))]
}

function helpOf(setting: Setting): string {
  const { kind, accepts, isRequired } = setting
  const notes = [
    ...(kind === 'choice' ? [accepts] : []),
    isRequired === true ? 'required' : `default: ${defaultText(setting)}`
  ]
  return `${withUnit(setting)} (${notes.join('; ')})`
}

/** Whether a flag takes the elements of a list one by one, so that the schema can name the invalid one. */
function isRepeated({ kind, flag }: Setting): boolean {
  return kind === 'list' && flag?.includes('...') !== false
}

/** @throws {UsageError} when the text is not valid for the setting */
function fromText(setting: Setting, text: string): unknown {
  const { key, accepts, flag, schema, secretFrom } = setting
  const name = flag?.split(' ')[0] ?? `--set ${key}`
  if (secretFrom !== undefined)
    throw new UsageError(`${key} is a secret: set ${secretFrom} in the environment instead`)
  const value = valueOfText(schema, text)
  if (!isRepeated(setting) && !schema.safeParse(value).success)
    throw new UsageError(`${name} must be ${accepts}, got ${JSON.stringify(text)}`)
  return value
}

/** Settings of a peer that are paths. */
const PATH_KEYS: ReadonlySet<string> = new Set(['documents', 'control.socket', 'validation.heldOut'])

function absolute(key: string, value: unknown): unknown {
  if (typeof value !== 'string') return value
  if (key === 'model') return baseModelFolder(value)
  if (key === 'validation.heldOut' && value === NO_HELD_OUT) return value
  const isPath = PATH_KEYS.has(key) || (key === 'data.chatTemplate' && existsSync(value))
  return isPath ? resolve(value) : value
}

function knownSetting(key: string): Setting {
  try {
    return settingOf(key)
  } catch (error) {
    throw new UsageError((error as Error).message)
  }
}
