import type { z } from 'zod'
import { PeerError } from '../storage/peer-error.ts'
import type { Setting } from './setting.ts'
import { suggest } from './suggest.ts'

/** Where an effective setting came from. */
export type SettingSource = 'default' | 'file' | 'environment' | 'flag'

/** One problem in the settings. */
export interface SettingFault {
  /** The setting; empty if the file as a whole is meant. */
  readonly key: string
  /** One line that says where it was given and what to do. */
  readonly message: string
}

/** Invalid settings; the message lists every problem. */
export class SettingsError extends PeerError {
  override name = 'SettingsError'
  readonly faults: readonly SettingFault[]

  constructor(faults: readonly SettingFault[]) {
    super(faults.map(({ message }) => message).join('; '))
    this.faults = faults
  }
}

/** A set of settings, of which some are given. */
export interface KnownSettings {
  readonly settings: readonly Setting[]
  /** Names of their groups. */
  readonly groups: readonly string[]
  /** The command that lists them. */
  readonly listedBy: string
}

/** The values given. */
export interface GivenSettings extends KnownSettings {
  readonly values: object
  /** By key. */
  readonly sources: ReadonlyMap<string, SettingSource>
  /** The settings file; undefined where flags alone give settings. */
  readonly file: string | undefined
}

/** The value of a setting among others; undefined if not given. */
export function valueAt(settings: object, key: string): unknown {
  let value: unknown = settings
  for (const part of key.split('.')) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, part)) return undefined
    value = (value as Record<string, unknown>)[part]
  }
  return value
}

/** A schema issue in the words of the person who wrote the settings. */
export function faultsOf(issue: z.core.$ZodIssue, given: GivenSettings): SettingFault[] {
  const { settings, groups, values, sources, file = 'the settings' } = given
  const path = issue.path.map(String)
  if (issue.code === 'unrecognized_keys')
    return issue.keys.map((key) => unknownKey([...path, key].join('.'), file, given))
  const setting = settings.find(({ key }) => key === path.slice(0, key.split('.').length).join('.'))
  if (setting === undefined) {
    const key = path.join('.')
    const message = groups.includes(key)
      ? `${file}: ${key} must be an object of settings`
      : `${file}: ${key || 'settings'}: ${issue.message}`
    return [{ key, message }]
  }
  const { key, accepts, secretFrom } = setting
  const name = givenAs(setting, sources.get(key), given.file)
  if (issue.code === 'custom' && issue.params?.isAboutSeveral === true)
    return [{ key, message: `${name}: ${issue.message}` }]
  // A list names the element that is wrong, and why.
  if (path.length > key.split('.').length) return [{ key, message: `${name} ${issue.message}` }]
  const value = valueAt(values, key)
  if (value === undefined) return [{ key, message: `${name} is missing: it must be ${accepts}` }]
  const seen = secretFrom === undefined ? `, got ${JSON.stringify(value)}` : ''
  return [{ key, message: `${name} must be ${accepts}${seen}` }]
}

/** An unknown key, with what was probably meant. */
export function unknownKey(
  key: string,
  where: string,
  { settings, groups, listedBy }: KnownSettings
): SettingFault {
  const meant = suggest(key, [...settings.map((setting) => setting.key), ...groups])
  const advice = meant === undefined ? `${listedBy} lists all settings` : `did you mean ${meant}?`
  return { key, message: `${where}: unknown setting ${key}; ${advice}` }
}

/** The name of a setting where it was given. */
function givenAs(
  { key, flag, secretFrom }: Setting,
  source: SettingSource | undefined,
  file: string | undefined
): string {
  if (source === 'environment') return secretFrom!
  if (source === 'flag' || file === undefined) return flag?.split(' ')[0] ?? `--set ${key}`
  return `${file}: ${key}`
}
