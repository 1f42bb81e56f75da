import { memberIndex } from '../protocol/index.ts'
import { normBounds } from './driver/norm-bounds.ts'
import { createHomeFolders } from './home/home.ts'
import { lockHome } from './home/process-lock.ts'
import { requireSealedModel } from './home/round-store.ts'
import { withDeadline } from './network/index.ts'
import { startControl, startHandshakes } from './services/control.ts'
import { startLogits } from './services/logits.ts'
import { completeSettings, openOwnLog, readMember } from './services/member.ts'
import { startNetwork, startServices } from './services/rounds.ts'
import { type Ending, type PeerOptions, type Running, startTelling } from './services/running.ts'
import { startUpkeep } from './services/upkeep.ts'
import { BlockStore, type Log } from './storage/index.ts'
import { messageOf } from './storage/peer-error.ts'
import { restoreNorms } from './upkeep/round-norms.ts'

export type { PeerOptions } from './services/running.ts'

/** A running peer. */
export interface Peer {
  readonly peerId: string
  /** Closes connections, the trainer and files; takes at most 5 seconds, whatever the peer is doing. */
  stop(): Promise<void>
}

/** Timeout of {@link Peer.stop}, milliseconds: parts still running end with the process, and nothing is lost. */
const STOP_MS = 4_500

/**
 * Starts a peer in its home: joins the network of the charter there and takes part in its rounds until it is stopped.
 *
 * @throws {PeerError} when a setting, a file or the network prevents the start; the message says what to do. Parts
 * already started are stopped
 */
export async function startPeer(options: PeerOptions): Promise<Peer> {
  const started: Ending[] = []
  let ended: Promise<void> | undefined
  const end = () => {
    ended ??= endAll(started, options.logs.of('peer'))
    return ended
  }
  try {
    const peerId = await start(options, started)
    return { peerId, stop: end }
  } catch (error) {
    await end()
    throw error
  }
}

/** Stops the parts in reverse order; one that fails or hangs does not prevent the others from stopping. */
async function endAll(started: Ending[], log: Log): Promise<void> {
  const all = async () => {
    for (const ending of started.splice(0).reverse()) {
      try {
        await ending()
      } catch (error) {
        log.warn({ error: messageOf(error) }, 'a part of the peer did not stop cleanly')
      }
    }
  }
  try {
    await withDeadline('stopping the peer', STOP_MS, undefined, all)
  } catch (error) {
    log.warn({ error: messageOf(error) }, 'the peer did not stop in time')
  }
}

/** Starts the parts in order, and records how to stop each. */
async function start(options: PeerOptions, started: Ending[]): Promise<string> {
  const { home, logs } = options
  const log = logs.of('peer')
  const telling = startTelling(options, started)
  await createHomeFolders(home)
  started.push(await lockHome(home))
  const member = await readMember(options)
  const { identity, rounds } = member
  const { config, base } = await completeSettings(options, member, telling.report)
  const model = await requireSealedModel(rounds, log)
  await normBounds(home, member.charter.charter, rounds.head.round, log)
  const messageLog = await openOwnLog(home, member.isLogLost, log, started)
  const blocks = await BlockStore.open(home.folder, logs.of('blocks'))
  await restoreNorms(home, rounds, blocks, log)
  const running: Running = { options, config, member, telling, started }
  const files = [...(config.blocks.serveBase ? base.files : []), ...(model === undefined ? [] : [model])]
  const parts = await startNetwork(running, blocks, messageLog, files)
  await startServices(running, parts)
  const handshakes = await startHandshakes(running, parts)
  await startLogits(running, parts.components.host)
  await startControl(running, parts, handshakes)
  const { host } = parts.components
  telling.report({ type: 'listening', peerId: identity.peerId, addresses: host.multiaddrs() })
  startUpkeep(running, parts, blocks)
  log.info(
    {
      peerId: identity.peerId,
      member: memberIndex(rounds.head, identity.signer.peer),
      round: rounds.head.round
    },
    'the peer is running'
  )
  return identity.peerId
}
