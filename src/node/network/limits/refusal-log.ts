import type { PeerId } from '@libp2p/interface'
import type { Log } from '../../log/log.ts'

/** Strangers that are remembered, so that one that keeps knocking fills no log. */
const REMEMBERED_MAX = 256

/** Logs each stranger that is refused once: somebody with another charter would else never learn why. */
export function refusalLog(log: Log): (peerId: PeerId) => void {
  const told = new Set<string>()
  return (peerId) => {
    const peer = peerId.toString()
    if (told.has(peer)) return
    if (told.size >= REMEMBERED_MAX) told.clear()
    told.add(peer)
    log.info({ peer }, 'a peer is refused: it is no member of this consortium')
  }
}
