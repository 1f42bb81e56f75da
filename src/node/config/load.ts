import { readFile } from 'node:fs/promises'
import type { z } from 'zod'
import type { Home } from '../home/home.ts'
import { isMissing, messageOf, PeerError } from '../storage/peer-error.ts'
import { moveEarlierKeys } from './earlier-keys.ts'
import { GROUP_NAMES, type PeerConfig, peerConfigSchema, SETTINGS, type Setting } from './schema.ts'
import { suggest } from './suggest.ts'

/** Where an effective setting came from. */
export type SettingSource = 'default' | 'file' | 'environment' | 'flag'

/** Settings by key (`network.listen`). */
export type SettingValues = Readonly<Record<string, unknown>>

/** What settings are made of besides `peer.json`. */
export interface SettingLayers {
  /** Over all else; values that are undefined count as not given. */
  readonly flags?: SettingValues
  /** Under all else. */
  readonly defaults?: SettingValues
  /** Where secrets are; `process.env` where it is not given. */
  readonly environment?: Readonly<Record<string, string | undefined>>
}

/** The effective settings, and how they came about. */
export interface EffectiveSettings {
  readonly config: PeerConfig
  /** By key; every setting is in it. */
  readonly sources: ReadonlyMap<string, SettingSource>
  /** Remarks that do not keep the peer from starting. */
  readonly remarks: readonly string[]
}

/** Something in the settings that does not fit. */
export interface SettingFault {
  /** The setting; empty where the file as a whole is meant. */
  readonly key: string
  /** One line, with where it was given and what to do. */
  readonly message: string
}

/** Settings that do not fit; the message has all faults. */
export class SettingsError extends PeerError {
  override name = 'SettingsError'
  readonly faults: readonly SettingFault[]

  constructor(faults: readonly SettingFault[]) {
    super(faults.map(({ message }) => message).join('; '))
    this.faults = faults
  }
}

/**
 * The settings in a home's `peer.json`, with flags over them, defaults under them, and secrets from the environment.
 *
 * @throws {SettingsError} naming every setting that does not fit
 */
export async function effectiveSettings(home: Home, layers: SettingLayers = {}): Promise<EffectiveSettings> {
  const { environment = process.env } = layers
  const file = moveEarlierKeys(await readSettings(home.config))
  const flags = defined(layers.flags)
  const secrets = secretsIn(environment)
  const faults = [...secretsOutside(file.settings, home.config), ...unknownFlags(flags)]
  let settings: Record<string, unknown> = structuredClone(file.settings)
  const sources = new Map<string, SettingSource>()
  for (const { key } of SETTINGS)
    sources.set(key, valueAt(file.settings, key) === undefined ? 'default' : 'file')
  for (const [key, value] of Object.entries(layers.defaults ?? {}))
    if (valueAt(settings, key) === undefined) settings = withValue(settings, key, value)
  for (const [layer, source] of [
    [secrets, 'environment'],
    [flags, 'flag']
  ] as const)
    for (const [key, value] of Object.entries(layer)) {
      settings = withValue(settings, key, value)
      sources.set(key, source)
    }
  const parsed = peerConfigSchema.safeParse(settings)
  if (!parsed.success)
    faults.push(...parsed.error.issues.flatMap((issue) => faultsOf(issue, settings, sources, home)))
  if (faults.length > 0 || !parsed.success) throw new SettingsError(faults)
  const remarks = file.moved.map(
    ({ from, to }) => `${home.config}: ${from} is now ${to}; the earlier name is still read`
  )
  return { config: parsed.data, sources, remarks }
}

/** The effective settings alone; see {@link effectiveSettings}. */
export async function loadPeerConfig(
  home: Home,
  flags: SettingValues = {},
  defaults: SettingValues = {}
): Promise<PeerConfig> {
  return (await effectiveSettings(home, { flags, defaults })).config
}

/** The value of a setting among others; undefined where it is not given. */
export function valueAt(settings: object, key: string): unknown {
  let value: unknown = settings
  for (const part of key.split('.')) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, part)) return undefined
    value = (value as Record<string, unknown>)[part]
  }
  return value
}

/** The setting of a key. @throws {SettingsError} for one that there is not, with what was probably meant */
export function settingOf(key: string): Setting {
  const found = SETTINGS.find((setting) => setting.key === key)
  if (found === undefined) throw new SettingsError([unknownKey(key, 'the flags')])
  return found
}

async function readSettings(path: string): Promise<Record<string, unknown>> {
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (error) {
    if (isMissing(error)) return {}
    throw unreadable(path, messageOf(error))
  }
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    throw unreadable(path, messageOf(error))
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw unreadable(path, 'it must hold one JSON object')
  return value as Record<string, unknown>
}

function unreadable(path: string, reason: string): SettingsError {
  const message = `${path} cannot be read (${reason}): mend it, or move it away to begin with defaults`
  return new SettingsError([{ key: '', message }])
}

/** Sets a value in its group; a group that is none stays as it is, for the schema to refuse. */
function withValue(settings: Record<string, unknown>, key: string, value: unknown): Record<string, unknown> {
  const [group, name] = key.split('.') as [string, string?]
  if (name === undefined) return { ...settings, [group]: value }
  const inside = settings[group] ?? {}
  if (typeof inside !== 'object' || Array.isArray(inside)) return settings
  return { ...settings, [group]: { ...inside, [name]: value } }
}

function defined(values: SettingValues = {}): Record<string, unknown> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined))
}

/** An environment without the settings' secrets, for a process that has no use for them. */
export function withoutSecrets(environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const names = new Set(SETTINGS.map(({ secretFrom }) => secretFrom))
  return Object.fromEntries(Object.entries(environment).filter(([name]) => !names.has(name)))
}

function secretsIn(environment: Readonly<Record<string, string | undefined>>): Record<string, string> {
  const secrets: Record<string, string> = {}
  for (const { key, secretFrom } of SETTINGS) {
    const value = secretFrom === undefined ? undefined : environment[secretFrom]
    if (value !== undefined && value !== '') secrets[key] = value
  }
  return secrets
}

function secretsOutside(settings: object, path: string): SettingFault[] {
  return SETTINGS.filter(
    ({ key, secretFrom }) => secretFrom !== undefined && valueAt(settings, key) !== undefined
  ).map(({ key, secretFrom }) => ({
    key,
    message: `${path}: ${key} is a secret and does not belong into a file: remove it, and set ${secretFrom} in the daemon's environment`
  }))
}

function unknownFlags(flags: SettingValues): SettingFault[] {
  return Object.keys(flags)
    .filter((key) => !SETTINGS.some((setting) => setting.key === key))
    .map((key) => unknownKey(key, 'the flags'))
}

/** What an issue of the schema means for whoever wrote the settings. */
function faultsOf(
  issue: z.core.$ZodIssue,
  settings: object,
  sources: ReadonlyMap<string, SettingSource>,
  { config }: Home
): SettingFault[] {
  const path = issue.path.map(String)
  if (issue.code === 'unrecognized_keys')
    return issue.keys.map((key) => unknownKey([...path, key].join('.'), config))
  const setting = SETTINGS.find(({ key }) => key === path.slice(0, key.split('.').length).join('.'))
  if (setting === undefined) {
    const key = path.join('.')
    const message = GROUP_NAMES.includes(key)
      ? `${config}: ${key} must be an object of settings`
      : `${config}: ${key || 'settings'}: ${issue.message}`
    return [{ key, message }]
  }
  const { key, accepts, flag, secretFrom } = setting
  const source = sources.get(key)
  const name =
    source === 'flag'
      ? (flag?.split(' ')[0] ?? `--set ${key}`)
      : source === 'environment'
        ? secretFrom!
        : `${config}: ${key}`
  // A list says which of its elements is wrong, and why.
  if (path.length > key.split('.').length) return [{ key, message: `${name} ${issue.message}` }]
  const value = valueAt(settings, key)
  if (value === undefined) return [{ key, message: `${name} is missing: it must be ${accepts}` }]
  const seen = secretFrom === undefined ? `, not ${JSON.stringify(value)}` : ''
  return [{ key, message: `${name} must be ${accepts}${seen}` }]
}

function unknownKey(key: string, where: string): SettingFault {
  const meant = suggest(key, [...SETTINGS.map((setting) => setting.key), ...GROUP_NAMES])
  const advice = meant === undefined ? 'loam config print lists all settings' : `did you mean ${meant}?`
  return { key, message: `${where}: there is no setting ${key}; ${advice}` }
}
