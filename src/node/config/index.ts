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
  faultsOf,
  type GivenSettings,
  type SettingFault,
  type SettingSource,
  SettingsError,
  valueAt
} from './faults.ts'
export { adapterSettings } from './groups/adapter.ts'
export { dataSettings } from './groups/data.ts'
export { TRAINING_DEFAULTS, trainingSettings } from './groups/training.ts'
export { NO_HELD_OUT } from './groups/validation.ts'
export {
  type EffectiveSettings,
  effectiveSettings,
  loadPeerConfig,
  type SettingValues,
  settingOf,
  withoutSecrets
} from './load.ts'
export { defaultText, settingsReference, withUnit } from './reference.ts'
export {
  alphaOf,
  type ControlConfig,
  type DataConfig,
  type MetricsConfig,
  type PeerConfig,
  peerConfigSchema,
  SETTINGS,
  type TrainingConfig
} from './schema.ts'
export { describeSetting, renoted, type Setting, setting, valueOfText } from './setting.ts'
export {
  NON_NEGATIVE_INTEGER,
  NON_NEGATIVE_NUMBER,
  POSITIVE_INTEGER,
  POSITIVE_NUMBER,
  SHARE
} from './units.ts'
