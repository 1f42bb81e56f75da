/**
 * The peer: its home on disk, its network, and the driver that carries the round protocol out.
 *
 * @example
 * ```ts
 * const home = homeAt('/srv/loam')
 * const config = await loadPeerConfig(home)
 * const levels = parseLogLevels(config.log.level)!
 * const logs = createLogs({ path: home.log, levels, toStandardError: false, ...config.log })
 * const peer = await startPeer({ home, config, logs, report: (said) => console.error(said.type) })
 * await peer.stop()
 * ```
 */
export { adoptCharter, readCharter } from './charter-file.ts'
export { loadPeerConfig, type PeerConfig, peerConfigSchema, type TrainingConfig } from './config/index.ts'
export { describeBase, requireCharterBase } from './consortium.ts'
export { type CharterTerms, createCharter } from './create-charter.ts'
export { PeerError } from './errors.ts'
export {
  EXPORT_FORMATS,
  type ExportedAdapter,
  type ExportFormat,
  type ExportOptions,
  exportAdapter,
  exportPeft,
  type GlobalAdapter,
  globalAdapter,
  type RoundSpan
} from './export-adapter.ts'
export { createHomeFolders, type Home, homeAt, type RoundFiles, roundFiles } from './home.ts'
export {
  type Identity,
  loadIdentity,
  loadOrCreateIdentity,
  type MemberCard,
  memberCard,
  memberCardSchema
} from './identity.ts'
export { LOG_LEVELS, type LogLevel, type LogLevels, parseLogLevels } from './log/levels.ts'
export { createLogs, type LogOptions, type Logs } from './log/logs.ts'
export { type Peer, type PeerOptions, startPeer } from './peer.ts'
export { readPeftFolder, writePeftFolder } from './peft-files.ts'
export type { CutEntry, PeerReport, PhaseTimes, ProgressReport, SealedReport } from './status.ts'
export type { Log } from './store/index.ts'
