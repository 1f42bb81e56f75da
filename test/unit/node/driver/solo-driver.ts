import { loadPeerConfig } from '../../../../src/node/config/index.ts'
import type { DriverComponents } from '../../../../src/node/driver/components.ts'
import { Heads } from '../../../../src/node/driver/heads.ts'
import type { Home } from '../../../../src/node/home/home.ts'
import type { MessageLog } from '../../../../src/node/home/message-log.ts'
import { openRoundStore } from '../../../../src/node/home/round-store.ts'
import type { NetworkHost } from '../../../../src/node/network/index.ts'
import type { Log } from '../../../../src/node/storage/index.ts'
import { verifyEd25519 } from '../../../../src/protocol/index.ts'
import { MODEL, type OneMember, smallPair, smallResult } from '../one-member.ts'

/** The parts of a driver for a consortium of one. */
export interface SoloOptions {
  readonly home: Home
  readonly member: OneMember
  readonly messageLog: MessageLog
  readonly log: Log
  /** What would be gossiped. */
  readonly onSent: (bytes: Uint8Array) => void
}

/** The components of a consortium of one: a real log and store, an instant training, and no network. */
export async function soloComponents({
  home,
  member,
  messageLog,
  log,
  onSent
}: SoloOptions): Promise<DriverComponents> {
  const host = {
    publish: async (bytes: Uint8Array) => onSent(bytes),
    peers: () => [],
    traffic: { totals: () => new Map() }
  } as unknown as NetworkHost
  return {
    home,
    identity: member.identity,
    environment: { signer: member.identity.signer, verify: verifyEd25519 },
    config: await loadPeerConfig(home, { model: MODEL, documents: 'none', 'adapter.rank': 1 }),
    host,
    exchange: {
      publish: () => undefined,
      serveFile: () => undefined,
      providersOf: () => [],
      fetchFiles: () => Promise.reject(new Error('not reached')),
      fetchAll: (_wanted, _holders, { signal }) =>
        new Promise((_resolve, reject) => {
          signal.addEventListener('abort', () => reject(signal.reason), { once: true })
        })
    },
    messageLog,
    rounds: await openRoundStore(home, member.charter),
    trainer: {
      pid: undefined,
      train: async () => smallResult(smallPair(member.charter)),
      measure: () => Promise.reject(new Error('not reached')),
      stop: async () => {}
    },
    heads: new Heads(),
    builder: {
      validate: async () => ({ type: 'validated', fault: undefined }),
      build: () => Promise.reject(new Error('not reached')),
      stop: async () => {}
    },
    log,
    report: () => {}
  }
}
