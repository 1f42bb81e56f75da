/**
 * A peer's settings: one schema for `peer.json`, flags, `--help`, `loam config` and the reference in docs/.
 *
 * @example
 * ```ts
 * const { config, sources } = await effectiveSettings(home, { flags: { 'adapter.rank': 4 } })
 * config.adapter.rank // 4
 * sources.get('adapter.rank') // 'flag'
 * ```
 */
export {
  type EffectiveSettings,
  effectiveSettings,
  loadPeerConfig,
  type SettingFault,
  type SettingSource,
  SettingsError,
  type SettingValues,
  settingOf,
  valueAt,
  withoutSecrets
} from './load.ts'
export { settingsReference } from './reference.ts'
export {
  alphaOf,
  type ControlConfig,
  type DataConfig,
  type MetricsConfig,
  type PeerConfig,
  peerConfigSchema,
  SETTINGS,
  type Setting,
  type TrainingConfig
} from './schema.ts'
export { valueOfText } from './setting.ts'
