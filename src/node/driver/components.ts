import type { PeerId } from '@libp2p/interface'
import type { Environment } from '../../protocol/index.ts'
import type { Builder } from '../builder/builder.ts'
import type { Home } from '../home.ts'
import type { Identity } from '../identity.ts'
import type { MessageLog } from '../message-log.ts'
import type { NetworkHost } from '../network/index.ts'
import type { PeerConfig } from '../peer-config.ts'
import type { RoundStore } from '../round-store.ts'
import type { PeerReport } from '../status.ts'
import type { Log } from '../store/log.ts'
import type { Trainer } from '../trainer/trainer.ts'

/** A block to get: its hex digest and its exact length in bytes. */
export interface WantedBlock {
  readonly digest: string
  readonly bytes: number
}

/** Gets blocks into the store, from whoever has them; resolves when all are durable, rejects when the signal aborts. */
export type FetchBlocks = (
  wanted: readonly WantedBlock[],
  holders: () => PeerId[],
  signal: AbortSignal
) => Promise<void>

/** What carries the round protocol's effects out. */
export interface DriverComponents {
  readonly home: Home
  readonly identity: Identity
  readonly environment: Environment
  readonly config: PeerConfig
  readonly host: NetworkHost
  readonly fetchBlocks: FetchBlocks
  readonly messageLog: MessageLog
  readonly rounds: RoundStore
  readonly trainer: Trainer
  readonly builder: Builder
  readonly log: Log
  readonly report: (report: PeerReport) => void
}
