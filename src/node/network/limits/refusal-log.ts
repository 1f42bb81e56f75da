import type { PeerId } from '@libp2p/interface'
import type { Log } from '../../log/log.ts'

/** Maximum number of strangers remembered, so that retries do not fill the log. */
const REMEMBERED_MAX = 256

/** Logs each refused stranger once, to help someone with the wrong charter. */
export function refusalLog(log: Log): (peerId: PeerId) => void {
  const told = new Set<string>()
  return (peerId) => {
    const peer = peerId.toString()
    if (told.has(peer)) return
    if (told.size >= REMEMBERED_MAX) told.clear()
    told.add(peer)
    log.info({ peer }, 'refused a peer that is not a member of this consortium')
  }
}
