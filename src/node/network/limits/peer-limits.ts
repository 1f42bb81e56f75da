import type { Libp2p, PeerId } from '@libp2p/interface'
import type { Log } from '../../log/log.ts'
import { BAN_TIMES, type Ban, BanList, type BanTimes, type Offence } from './ban-list.ts'

/** What an {@link PeerLimits} is made with. */
export interface PeerLimitsOptions {
  /** Closes every connection to a peer at once. */
  readonly hangUp: (peerId: PeerId, reason: Error) => void
  readonly log: Log
  readonly banTimes?: BanTimes | undefined
}

/** What becomes of those who misbehave. */
export class PeerLimits {
  readonly #options: PeerLimitsOptions
  readonly #bans: BanList

  constructor(options: PeerLimitsOptions) {
    this.#options = options
    this.#bans = new BanList(options.banTimes ?? BAN_TIMES)
  }

  /** Whether a peer is shut out now. */
  isShutOut(peerId: PeerId): boolean {
    return this.#bans.isBanned(peerId.toString(), performance.now())
  }

  /**
   * Notes what a peer did that an honest one does not do. Enough of it in a short time, and it is hung up on and shut out
   * for a while; that alone is a line in the log, so that nobody can fill the disk with lines.
   *
   * @param what it did, for the log
   */
  report(peerId: PeerId, offence: Offence, what: string): void {
    const peer = peerId.toString()
    const { log, hangUp } = this.#options
    const ban = this.#bans.note(peer, offence, performance.now())
    if (ban === undefined) {
      log.debug({ peer, offence, what }, 'a peer did what no honest peer does')
      return
    }
    const fields = { peer, seconds: Math.round(ban.leftMs / 1000), times: ban.times, offence, what }
    log.warn(fields, 'a peer misbehaves and is shut out for a while')
    hangUp(peerId, new Error('shut out for a while'))
  }

  /** Who is shut out now. */
  bans(): Ban[] {
    return this.#bans.bans(performance.now())
  }
}

/** Closes every connection to a peer at once. */
export function hangUpOn(libp2p: Pick<Libp2p, 'getConnections'>, peerId: PeerId, reason: Error): void {
  for (const connection of libp2p.getConnections(peerId)) connection.abort(reason)
}
