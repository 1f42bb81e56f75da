/**
 * A peer: its home on disk, its network, its trainer, and the shell that carries the round protocol's effects out.
 *
 * @example
 * const home = homeAt('/srv/loam')
 * await adoptCharter(home, 'charter.cbor')
 * const config = await loadPeerConfig(home, { documents: 'notes.jsonl', model: 'models/loam-base-1m' })
 * const peer = await startPeer({ home, config, log: createLogger(home.log, 'info', false), report: console.log })
 * await peer.stop()
 */
export { adoptCharter, readCharter } from './charter-file.ts'
export { type CharterTerms, createCharter } from './create-charter.ts'
export { PeerError } from './errors.ts'
export { type ExportedAdapter, exportPeft, globalAdapter } from './export-adapter.ts'
export { createHomeFolders, type Home, homeAt, type RoundFiles, roundFiles } from './home.ts'
export { type Identity, loadIdentity, loadOrCreateIdentity, type MemberCard, memberCard } from './identity.ts'
export { createLogger } from './logger.ts'
export { type Peer, type PeerOptions, startPeer } from './peer.ts'
export { loadPeerConfig, type PeerConfig } from './peer-config.ts'
export { readPeftFolder, writePeftFolder } from './peft-files.ts'
export { type JudgedRound, readSealedRounds } from './round-store.ts'
export type { PeerReport, ProgressReport, SealedReport } from './status.ts'
