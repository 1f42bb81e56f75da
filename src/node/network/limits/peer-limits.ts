import type { Libp2p, PeerId } from '@libp2p/interface'
import type { Log } from '../../log/log.ts'
import { BAN_TIMES, type Ban, BanList, type BanTimes, type Offence } from './ban-list.ts'

/** Options of {@link PeerLimits}. */
export interface PeerLimitsOptions {
  /** Closes every connection to a peer at once. */
  readonly hangUp: (peerId: PeerId, reason: Error) => void
  readonly log: Log
  readonly banTimes?: BanTimes | undefined
}

/** Bans for misbehaving peers. */
export class PeerLimits {
  readonly #options: PeerLimitsOptions
  readonly #bans: BanList

  constructor(options: PeerLimitsOptions) {
    this.#options = options
    this.#bans = new BanList(options.banTimes ?? BAN_TIMES)
  }

  /** Whether a peer is banned. */
  isShutOut(peerId: PeerId): boolean {
    return this.#bans.isBanned(peerId.toString(), performance.now())
  }

  /**
   * Records a protocol violation by a peer. Enough of them in a short time disconnect and ban it; only the ban is
   * logged above debug level, so that nobody can fill the disk with log lines.
   *
   * @param what the violation, for the log
   */
  report(peerId: PeerId, offence: Offence, what: string): void {
    const peer = peerId.toString()
    const { log, hangUp } = this.#options
    const ban = this.#bans.note(peer, offence, performance.now())
    if (ban === undefined) {
      log.debug({ peer, offence, what }, 'protocol violation by a peer')
      return
    }
    const fields = { peer, seconds: Math.round(ban.leftMs / 1000), times: ban.times, offence, what }
    log.warn(fields, 'a peer is banned for repeated protocol violations')
    hangUp(peerId, new Error('banned'))
  }

  /** Current bans. */
  bans(): Ban[] {
    return this.#bans.bans(performance.now())
  }
}

/** Closes every connection to a peer at once. */
export function hangUpOn(libp2p: Pick<Libp2p, 'getConnections'>, peerId: PeerId, reason: Error): void {
  for (const connection of libp2p.getConnections(peerId)) connection.abort(reason)
}
