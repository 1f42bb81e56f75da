import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { type Command, Option } from 'commander'
import {
  SETTINGS,
  type Setting,
  type SettingValues,
  settingOf,
  valueOfText
} from '../../node/config/index.ts'
import { defaultText, withUnit } from '../../node/config/reference.ts'
import { homeAt } from '../../node/home/home.ts'
import { NotFittingError } from '../terminal/usage-error.ts'
import { baseModelFolder, homeModelFolder } from './shipped-model.ts'

/** Flags of a command that {@link addSettingFlags} was called with, as commander gives them. */
export type SettingFlags = Readonly<Record<string, unknown>>

/** Gives a command the flags of single settings. */
export function addFlagsOf(command: Command, ...keys: readonly string[]): Command {
  for (const key of keys) for (const option of optionsOf(settingOf(key))) command.addOption(option)
  return command
}

/** Gives a command every setting's flag, and `--set` for those without one; all from the schema. */
export function addSettingFlags(command: Command): Command {
  for (const setting of SETTINGS) for (const option of optionsOf(setting)) command.addOption(option)
  return command.addOption(
    new Option('--set <key=value...>', 'any setting by its name in peer.json (loam config print lists them)')
  )
}

/**
 * What the flags set, by the settings' keys.
 *
 * @throws {NotFittingError} for a `--set` that names no setting
 */
export function settingsOfFlags(command: Command, flags: SettingFlags): SettingValues {
  const values: Record<string, unknown> = {}
  for (const assignment of (flags.set as string[] | undefined) ?? []) {
    const [, key, text] = /^([^=]+)=(.*)$/s.exec(assignment) ?? []
    if (key === undefined) throw new NotFittingError(`--set ${assignment} is no KEY=VALUE`)
    values[key] = fromText(knownSetting(key), text!)
  }
  for (const setting of SETTINGS) {
    const [option] = optionsOf(setting)
    if (option === undefined || command.getOptionValueSource(option.attributeName()) !== 'cli') continue
    values[setting.key] = flags[option.attributeName()]
  }
  return values
}

/** What a peer's settings are where neither its file nor a flag says it. */
export function settingDefaults(homeFolder: string): SettingValues {
  const home = homeAt(homeFolder)
  return { model: homeModelFolder(home), documents: home.documents }
}

function optionsOf(setting: Setting): Option[] {
  const { flag, kind } = setting
  if (flag === undefined) return []
  const described = `${withUnit(setting)} (default: ${defaultText(setting)})`
  if (kind === 'boolean')
    return [
      new Option(flag, described),
      new Option(flag.replace('--', '--no-'), `not: ${setting.description}`)
    ]
  const option = new Option(flag, described)
  return kind === 'list' ? [option] : [option.argParser((text) => fromText(setting, text))]
}

/** @throws {NotFittingError} when the text does not fit the setting */
function fromText(setting: Setting, text: string): unknown {
  const { key, accepts, flag, schema } = setting
  const name = flag?.split(' ')[0] ?? `--set ${key}`
  if (setting.secretFrom !== undefined)
    throw new NotFittingError(`${key} is a secret: set ${setting.secretFrom} in the environment instead`)
  const value = valueOfText(schema, text)
  if (setting.kind !== 'list' && !schema.safeParse(value).success)
    throw new NotFittingError(`${name} must be ${accepts}, not ${JSON.stringify(text)}`)
  if (key === 'model') return baseModelFolder(text)
  if (key === 'data.chatTemplate') return existsSync(text) ? resolve(text) : value
  return PATH_KEYS.has(key) ? resolve(text) : value
}

/** Settings that are paths on this machine: a daemon may run elsewhere than where its flags were given. */
const PATH_KEYS: ReadonlySet<string> = new Set(['documents', 'control.socket', 'validation.heldOut'])

function knownSetting(key: string): Setting {
  try {
    return settingOf(key)
  } catch (error) {
    throw new NotFittingError((error as Error).message)
  }
}
