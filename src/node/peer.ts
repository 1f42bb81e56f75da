import { existsSync } from 'node:fs'
import { packageVersion } from '../package-root.ts'
import { blocksOf, consortiumCid, hex, isKind, memberIndex, verifyEd25519 } from '../protocol/index.ts'
import type { BaseProgress } from './base/fetch-file.ts'
import { requireBase } from './base/require-base.ts'
import { serveBase } from './base/serve-base.ts'
import { startBuilder } from './builder/builder.ts'
import { readCharter } from './charter-file.ts'
import type { PeerConfig } from './config/index.ts'
import { Observer, startControlApi } from './control/index.ts'
import { AddressExchange } from './driver/address-exchange.ts'
import type { DriverComponents } from './driver/components.ts'
import { Heads } from './driver/heads.ts'
import { serveCheckpoints } from './driver/model-checkpoint.ts'
import { normBounds } from './driver/norm-bounds.ts'
import { prune } from './driver/prune.ts'
import { repairBlocks } from './driver/repair-blocks.ts'
import { RoundDriver } from './driver/round-driver.ts'
import { SyncService } from './driver/sync-service.ts'
import { WishService } from './driver/wish-service.ts'
import { messageOf, PeerError } from './errors.ts'
import { createHomeFolders, type Home } from './home.ts'
import { loadOrCreateIdentity } from './identity.ts'
import { loadInvite, requireTrustedSeal } from './invite-files.ts'
import { AddressKeeper, loadAddresses, saveOwnAddresses } from './known-addresses.ts'
import { knownPeers } from './known-peers.ts'
import { listen } from './listen.ts'
import type { Logs } from './log/logs.ts'
import { openMessageLog } from './message-log.ts'
import { createMetrics } from './metrics/index.ts'
import {
  BLOCK_SERVER_LIMITS,
  type BootstrapVerdict,
  createHost,
  startBlockExchange,
  UploadLimit,
  withDeadline
} from './network/index.ts'
import { lockHome } from './process-lock.ts'
import { createGreeting } from './quiet-host.ts'
import { requireOwnSettings, requireSettings } from './require-settings.ts'
import { openRoundStore, type RoundStore, requireSealedModel } from './round-store.ts'
import type { PeerReport } from './status.ts'
import { BlockStore, closeSecret, type Log } from './store/index.ts'
import { createTrainer } from './trainer/trainer.ts'

/** A running peer. */
export interface Peer {
  readonly peerId: string
  /** Hangs up, ends the trainer and closes the files; within 5 seconds, whatever it is doing. */
  stop(): Promise<void>
}

/** What a peer is started with. */
export interface PeerOptions {
  readonly home: Home
  readonly config: PeerConfig
  readonly logs: Logs
  readonly report: (report: PeerReport) => void
  /** Set where nobody has said which base model to take: the charter's is fetched from members if need be. */
  readonly fetchBase?:
    | { readonly progress: (progress: BaseProgress) => void; readonly signal: AbortSignal }
    | undefined
}

/** Longest {@link Peer.stop}, milliseconds: what does not end by then ends with the process, and nothing is lost. */
const STOP_MS = 4_500

/**
 * Starts a peer in its home: joins the network of the charter there and takes part in its rounds until it is stopped.
 *
 * @throws {PeerError} when something in its surroundings is not right; the message says what to do. What was started by
 *   then is ended
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

/** How to end one part of a peer. */
type Ending = () => Promise<unknown>

/** Ends the parts, the last started first; one that fails or hangs does not keep the others from ending. */
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

/** Starts the parts one after the other, and notes how to end each. */
async function start(options: PeerOptions, started: Ending[]): Promise<string> {
  const { home, logs } = options
  const log = logs.of('peer')
  const networkLog = logs.of('network')
  const observer = new Observer()
  const metrics = createMetrics(packageVersion())
  const stopCounting = logs.recent.listen((line) => metrics.noteLogLine(line))
  started.push(async () => stopCounting())
  const report = (said: PeerReport) => {
    metrics.note(said)
    observer.note(said)
    options.report(said)
  }
  await createHomeFolders(home)
  started.push(await lockHome(home))
  const charter = await readCharter(home.charter)
  await requireOwnSettings(options.config, charter.charter)
  const identity = await loadOrCreateIdentity(home.identity)
  if (await closeSecret(home.identity))
    log.warn({ file: home.identity }, 'a secret file was open to others; it is closed to them now')
  const isLogLost = !existsSync(home.writeAheadLog)
  const rounds = await openRoundStore(home, charter)
  const invite = await loadInvite(home)
  if (invite !== undefined) await requireTrustedSeal(home, invite)
  const known = knownPeers(charter, rounds, invite, options.config.network)
  const { isAllowed, bootstrap } = known
  if (!known.isKnown(identity.signer.peer) && !existsSync(home.joinRequest))
    throw new PeerError(
      `${identity.peerId} is no member of ${charter.charter.name}: its card must be in the charter, or members must admit it (loam members request)`
    )
  const onVerdict = ({ address, outcome, reason, advice }: BootstrapVerdict) =>
    report({ type: 'bootstrap', address, outcome, reason, advice })
  const who = { charterId: charter.id, known, network: options.config.network, log: networkLog }
  const model =
    options.fetchBase === undefined
      ? options.config.model
      : await requireBase(
          {
            home,
            charter: charter.charter,
            privateKey: identity.privateKey,
            ...who,
            onVerdict,
            ...options.fetchBase
          },
          options.config.model
        )
  const config: PeerConfig = { ...options.config, model }
  await requireSettings(config, charter.charter)
  await requireSealedModel(rounds, log)
  await normBounds(home, charter.charter, rounds.head.round)
  const messageLog = await openMessageLog(home.writeAheadLog, isLogLost)
  started.push(() => messageLog.close())
  if (isLogLost)
    log.warn(
      { log: home.writeAheadLog },
      'the log of what this identity signed is gone: it keeps silent until a quorum has told how far they are'
    )
  if (messageLog.tornBytes > 0)
    log.warn(
      { bytes: messageLog.tornBytes },
      'the log ended in an unfinished record, which was never sent; it is cut off'
    )
  const blocks = await BlockStore.open(home.folder, logs.of('blocks'))
  let driver: RoundDriver | undefined
  const isCounted = config.control.enabled || config.metrics.listen !== undefined
  const host = await createHost({
    privateKey: identity.privateKey,
    listen: config.network.listen,
    bootstrap,
    reach: config.network,
    topic: `/loam/${consortiumCid(charter.id)}/1`,
    isAllowed,
    validateGossip: (bytes, from) => {
      const verdict = driver?.receive(bytes, from.toString()) ?? 'ignore'
      if (verdict === 'reject') metrics.noteRejected()
      return verdict
    },
    onGossip: () => {},
    log: networkLog,
    metrics: isCounted ? metrics : undefined
  })
  host.addAddresses(await loadAddresses(home, networkLog))
  const trainer = createTrainer()
  const builder = startBuilder(home.folder, logs.of('building'))
  started.push(() => Promise.all([trainer.stop(), builder.stop(), host.stop()]))
  await listen(host, config.network.listen)
  const uploadBytesPerSecond = config.blocks.uploadLimit
  const upload = uploadBytesPerSecond === undefined ? undefined : new UploadLimit(uploadBytesPerSecond)
  const exchange = await startBlockExchange(host, blocks, logs.of('blocks'), {
    serving: { ...BLOCK_SERVER_LIMITS, uploadBytesPerSecond, upload }
  })
  started.push(() => exchange.stop())
  const components: DriverComponents = {
    home,
    identity,
    environment: { signer: identity.signer, verify: verifyEd25519 },
    config,
    host,
    exchange,
    messageLog,
    rounds,
    trainer,
    builder,
    invite,
    heads: new Heads(),
    log: logs.of('rounds'),
    report
  }
  const networkComponents = { ...components, log: networkLog }
  const rounding = new RoundDriver(components)
  const sync = new SyncService(networkComponents, rounding)
  const addresses = new AddressExchange(networkComponents, charter.id)
  const wishes = new WishService(components, rounding, charter.id)
  const keeper = new AddressKeeper(home, () => host.knownAddresses(), networkLog)
  const repair = new AbortController()
  rounding.start()
  driver = rounding
  started.push(() => {
    repair.abort()
    return Promise.all([wishes.stop(), sync.stop(), addresses.stop(), rounding.stop(), keeper.stop()])
  })
  await serveCheckpoints(host, home, charter.id, networkLog)
  if (config.blocks.serveBase)
    await serveBase(host, model, charter.id, networkLog, { upload, uploadBytesPerSecond })
  await sync.start()
  await addresses.start()
  keeper.start()
  wishes.start()
  const greeting = createGreeting(host, who, {
    onVerdict,
    onMisfit: (peerId, reason) => report({ type: 'misfit', peerId, reason })
  })
  await greeting.start()
  started.push(() => greeting.stop())
  await saveOwnAddresses(home, host.multiaddrs())
  const control = await startControlApi({
    home,
    charter,
    host,
    greeting,
    rounds,
    driver: rounding,
    heads: components.heads,
    observer,
    metrics,
    recent: logs.recent,
    log: logs.of('control'),
    version: packageVersion(),
    config,
    lastRound: config.rounds,
    trainerPid: () => trainer.pid
  })
  started.push(() => control.stop())
  report({ type: 'listening', peerId: identity.peerId, addresses: host.multiaddrs() })
  void repairBlocks(components, blocks, repair.signal)
  let isPruning = false
  const pruneNow = async () => {
    // A slow disk must not have two at a time.
    if (isPruning) return
    isPruning = true
    await pruneHome(home, config, rounds, blocks, rounding, logs.of('blocks'))
    isPruning = false
  }
  void pruneNow()
  const pruning = setInterval(pruneNow, config.storage.pruneEvery * 1_000)
  started.push(async () => clearInterval(pruning))
  log.info(
    {
      peerId: identity.peerId,
      member: memberIndex(rounds.head, identity.signer.peer),
      round: rounds.head.round
    },
    'the peer runs'
  )
  return identity.peerId
}

/** Removes what is owed to nobody any more. */
async function pruneHome(
  home: Home,
  { storage }: PeerConfig,
  rounds: RoundStore,
  blocks: BlockStore,
  { state }: RoundDriver,
  log: Log
): Promise<void> {
  try {
    const manifests = [...(state.messages.get('manifest/0')?.values() ?? [])].flat()
    const inUse = new Set(
      manifests.flatMap((message) => (isKind(message, 'manifest') ? blocksOf(message.body).map(hex) : []))
    )
    const pruned = await prune(home, blocks, rounds, {
      inUse,
      now: Date.now(),
      keepYoungMs: storage.keepYoung * 1_000,
      keepStacks: storage.keepStacks
    })
    if (pruned.blocks + pruned.files > 0) log.info({ ...pruned }, 'old rounds are pruned')
  } catch (error) {
    log.warn({ error: messageOf(error) }, 'old rounds could not be pruned')
  }
}
