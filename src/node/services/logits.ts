import { peerIdFromString } from '@libp2p/peer-id'
import { createHttpTransport, type LogitsTransport } from '../../prada/remotes/index.ts'
import { serveLogits } from '../logits/logits-server.ts'
import { createMemberTransport } from '../logits/member-transport.ts'
import type { NetworkHost } from '../network/index.ts'
import { peerIdText } from '../storage/peer-id-text.ts'
import type { Running } from './running.ts'

/** Opens the settings' logits server to members, where they name one. */
export async function startLogits(
  { options: { logs }, config: { logits }, member: { rounds }, started }: Running,
  host: NetworkHost
): Promise<void> {
  if (logits.server === undefined) return
  const log = logs.of('network')
  const transport = createHttpTransport({
    url: logits.server,
    ...(logits.apiKey !== undefined && { apiKey: logits.apiKey })
  })
  const stop = await serveLogits(host, {
    transport,
    isMember: (peer) => rounds.head.members.some((member) => peerIdText(member.peer) === peer.toString()),
    positionsPerMinute: logits.memberPositions,
    log
  })
  started.push(async () => {
    await stop()
    transport.dispose()
  })
  log.info({ server: logits.server }, 'members may use the logits server')
}

/** Logits servers of members, one transport each, so that the bounds of its requests hold for all who use it here. */
export function createMemberLogits(host: NetworkHost): (peerId: string) => LogitsTransport {
  const transports = new Map<string, LogitsTransport>()
  return (peerId) => {
    const known = transports.get(peerId) ?? createMemberTransport(host, peerIdFromString(peerId))
    transports.set(peerId, known)
    return known
  }
}
