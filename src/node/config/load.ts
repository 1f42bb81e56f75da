import { readJsonObject } from '../../formats/index.ts'
import type { Home } from '../home/home.ts'
import { isMissing, messageOf } from '../storage/peer-error.ts'
import {
  faultsOf,
  type SettingFault,
  type SettingSource,
  SettingsError,
  unknownKey,
  valueAt
} from './faults.ts'
import { GROUP_NAMES, type PeerConfig, peerConfigSchema, SETTINGS } from './schema.ts'
import type { Setting } from './setting.ts'

/** The settings of `peer.json`, for messages about their faults. */
const PEER_SETTINGS = {
  settings: SETTINGS,
  groups: GROUP_NAMES,
  listedBy: 'loam config print'
} as const

/** Settings by key (`network.listen`). */
export type SettingValues = Readonly<Record<string, unknown>>

/** Sources of settings besides `peer.json`. */
export interface SettingLayers {
  /** Override everything else; undefined values count as not given. */
  readonly flags?: SettingValues
  /** Apply where nothing else gives a value. */
  readonly defaults?: SettingValues
  /** Where secrets come from; `process.env` by default. */
  readonly environment?: Readonly<Record<string, string | undefined>>
}

/** The effective settings, and where each came from. */
export interface EffectiveSettings {
  readonly config: PeerConfig
  /** By key; every setting is in it. */
  readonly sources: ReadonlyMap<string, SettingSource>
}

/**
 * The settings in a home's `peer.json`, with flags over them, defaults under them, and secrets from the environment.
 *
 * @throws {SettingsError} naming every invalid setting
 */
export async function effectiveSettings(home: Home, layers: SettingLayers = {}): Promise<EffectiveSettings> {
  const { environment = process.env } = layers
  const file = readSettings(home.config)
  const flags = defined(layers.flags)
  const faults = [...secretsOutside(file, home.config), ...unknownFlags(flags)]
  let values = structuredClone(file)
  const sources = new Map<string, SettingSource>()
  for (const { key } of SETTINGS) sources.set(key, valueAt(file, key) === undefined ? 'default' : 'file')
  for (const [key, value] of Object.entries(layers.defaults ?? {}))
    if (valueAt(values, key) === undefined) values = withValue(values, key, value)
  for (const [layer, source] of [
    [secretsIn(environment), 'environment'],
    [flags, 'flag']
  ] as const)
    for (const [key, value] of Object.entries(layer)) {
      values = withValue(values, key, value)
      sources.set(key, source)
    }
  const parsed = peerConfigSchema.safeParse(values)
  if (!parsed.success) {
    const given = { ...PEER_SETTINGS, file: home.config, values, sources }
    faults.push(...parsed.error.issues.flatMap((issue) => faultsOf(issue, given)))
  }
  if (faults.length > 0 || !parsed.success) throw new SettingsError(faults)
  return { config: parsed.data, sources }
}

/** The effective settings alone; see {@link effectiveSettings}. */
export async function loadPeerConfig(
  home: Home,
  flags: SettingValues = {},
  defaults: SettingValues = {}
): Promise<PeerConfig> {
  return (await effectiveSettings(home, { flags, defaults })).config
}

/** The setting of a key. @throws {SettingsError} for an unknown key, with what was probably meant */
export function settingOf(key: string): Setting {
  const found = SETTINGS.find((setting) => setting.key === key)
  if (found === undefined) throw new SettingsError([unknownKey(key, 'the flags', PEER_SETTINGS)])
  return found
}

function readSettings(path: string): Record<string, unknown> {
  try {
    return readJsonObject(path) as Record<string, unknown>
  } catch (error) {
    if (isMissing(error)) return {}
    const reason = messageOf(error).replace(path, 'it')
    const message = `${path} cannot be read (${reason}): fix it, or move it away to start from the defaults`
    throw new SettingsError([{ key: '', message }])
  }
}

/** Sets a value in its group; a group that is not an object stays as it is, for the schema to refuse. */
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

/** The environment without the settings' secrets, for a process that does not need them. */
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
    message: `${path}: ${key} is a secret and does not belong in a file: remove it and set ${secretFrom} in the environment of the peer`
  }))
}

function unknownFlags(flags: SettingValues): SettingFault[] {
  return Object.keys(flags)
    .filter((key) => !SETTINGS.some((setting) => setting.key === key))
    .map((key) => unknownKey(key, 'the flags', PEER_SETTINGS))
}
