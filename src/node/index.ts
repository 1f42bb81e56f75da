/**
 * The peer: its home on disk, its network, and the driver that runs the round protocol.
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

export { loadPeerConfig, type PeerConfig, peerConfigSchema, type TrainingConfig } from './config/index.ts'
export { describeBase, requireCharterBase } from './consortium/charter-base.ts'
export { type CharterTerms, createCharter } from './consortium/create-charter.ts'
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
} from './export/export-adapter.ts'
export { readPeftFolder, writePeftFolder } from './export/peft-files.ts'
export { adoptCharter, readCharter } from './home/charter-file.ts'
export { createHomeFolders, type Home, homeAt, type RoundFiles, roundFiles } from './home/home.ts'
export {
  type Identity,
  loadIdentity,
  loadOrCreateIdentity,
  type MemberCard,
  memberCard,
  memberCardSchema
} from './home/identity.ts'
export type { CutEntry, PeerReport, PhaseTimes, ProgressReport, SealedReport } from './home/peer-report.ts'
export { LOG_LEVELS, type LogLevel, type LogLevels, parseLogLevels } from './log/levels.ts'
export { createLogs, type LogOptions, type Logs } from './log/logs.ts'
export { type Peer, type PeerOptions, startPeer } from './peer.ts'
export { dialMember, type MemberDialling } from './services/dial-member.ts'
export type { Log } from './storage/index.ts'
export { PeerError } from './storage/peer-error.ts'
