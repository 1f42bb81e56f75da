import type { Environment, Invite } from '../../protocol/index.ts'
import type { PeerConfig } from '../config/index.ts'
import type { Home } from '../home/home.ts'
import type { Identity } from '../home/identity.ts'
import type { MessageLog } from '../home/message-log.ts'
import type { PeerReport } from '../home/peer-report.ts'
import type { RoundStore } from '../home/round-store.ts'
import type { Log } from '../log/log.ts'
import type { BlockExchange, NetworkHost } from '../network/index.ts'
import type { Builder } from '../workers/builder/builder.ts'
import type { Trainer } from '../workers/trainer/trainer.ts'
import type { Heads } from './heads.ts'

/** What the round driver needs to carry out the protocol's effects. */
export interface DriverComponents {
  readonly home: Home
  readonly identity: Identity
  readonly environment: Environment
  readonly config: PeerConfig
  readonly host: NetworkHost
  readonly exchange: Pick<BlockExchange, 'fetchAll' | 'publish' | 'fetchFiles' | 'serveFile' | 'providersOf'>
  readonly messageLog: MessageLog
  readonly rounds: RoundStore
  readonly trainer: Trainer
  readonly builder: Builder
  /** The invite that this peer started from, if any. */
  readonly invite?: Invite | undefined
  /** How far the others say they are. */
  readonly heads: Heads
  readonly log: Log
  readonly report: (report: PeerReport) => void
}
