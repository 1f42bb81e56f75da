import { access } from 'node:fs/promises'
import { join } from 'node:path'
import { loadBaseModel } from '../model/index.ts'
import { consortiumCid, memberIndex, verifyEd25519 } from '../protocol/index.ts'
import { startBuilder } from './builder/builder.ts'
import { readCharter } from './charter-file.ts'
import { requireCharterBase } from './consortium.ts'
import { AddressExchange } from './driver/address-exchange.ts'
import type { DriverComponents } from './driver/components.ts'
import { repairBlocks } from './driver/repair-blocks.ts'
import { peerIdText } from './driver/reports.ts'
import { RoundDriver } from './driver/round-driver.ts'
import { SyncService } from './driver/sync-service.ts'
import { PeerError } from './errors.ts'
import { createHomeFolders, type Home } from './home.ts'
import { loadOrCreateIdentity } from './identity.ts'
import { loadAddresses, saveAddresses } from './known-addresses.ts'
import { openMessageLog } from './message-log.ts'
import { createHost, FetchManager, serveBlocks } from './network/index.ts'
import type { PeerConfig } from './peer-config.ts'
import { lockHome } from './process-lock.ts'
import { openRoundStore } from './round-store.ts'
import type { PeerReport } from './status.ts'
import { BlockStore, type Log } from './store/index.ts'
import { createTrainer } from './trainer/trainer.ts'

/** A running peer. */
export interface Peer {
  readonly peerId: string
  /** Hangs up, ends the trainer and closes the files. */
  stop(): Promise<void>
}

/** What a peer is started with. */
export interface PeerOptions {
  readonly home: Home
  readonly config: PeerConfig
  readonly log: Log
  readonly report: (report: PeerReport) => void
}

/**
 * Starts a peer in its home: joins the network of the charter there and takes part in its rounds until it is stopped.
 *
 * @throws {PeerError} when something in its surroundings is not right; the message says what to do
 */
export async function startPeer({ home, config, log, report }: PeerOptions): Promise<Peer> {
  await createHomeFolders(home)
  await lockHome(home)
  const charter = await readCharter(home.charter)
  const identity = await loadOrCreateIdentity(home.identity)
  const members = new Set(charter.charter.members.map(({ peer }) => peerIdText(peer)))
  if (!members.has(identity.peerId))
    throw new PeerError(
      `${identity.peerId} is no member of ${charter.charter.name}: its card must be in the charter`
    )
  await requireBase(config, charter.charter)
  const rounds = await openRoundStore(home, charter)
  const messageLog = await openMessageLog(home.writeAheadLog)
  const blocks = await BlockStore.open(home.folder, log)
  const trainer = createTrainer()
  const builder = startBuilder(home.folder, log)
  let driver: RoundDriver | undefined
  const host = await createHost({
    privateKey: identity.privateKey,
    listen: config.listen,
    bootstrap: [...config.bootstrap, ...(await loadAddresses(home))],
    mdns: config.mdns,
    topic: `/loam/${consortiumCid(charter.id)}/1`,
    isAllowed: (peerId) => members.has(peerId.toString()),
    validateGossip: (bytes) => driver?.receive(bytes) ?? 'ignore',
    onGossip: () => {},
    log
  })
  const fetchManager = new FetchManager(host, blocks, log)
  const components: DriverComponents = {
    home,
    identity,
    environment: { signer: identity.signer, verify: verifyEd25519 },
    config,
    host,
    fetchBlocks: (wanted, holders, signal) => fetchManager.fetchAll(wanted, holders, { signal }),
    messageLog,
    rounds,
    trainer,
    builder,
    log,
    report
  }
  driver = new RoundDriver(components)
  const sync = new SyncService(components, driver)
  const addresses = new AddressExchange(components, charter.id)
  driver.start()
  await host.start()
  const stopServing = await serveBlocks(host, blocks, log)
  await sync.start()
  await addresses.start()
  report({ type: 'listening', peerId: identity.peerId, addresses: host.multiaddrs() })
  const repair = new AbortController()
  void repairBlocks(components, blocks, charter, repair.signal)
  log.info(
    {
      peerId: identity.peerId,
      member: memberIndex(rounds.head, identity.signer.peer),
      round: rounds.head.round
    },
    'the peer runs'
  )

  return {
    peerId: identity.peerId,
    async stop() {
      repair.abort()
      await Promise.all([sync.stop(), addresses.stop(), driver.stop()])
      await saveAddresses(home, host.knownAddresses())
      await Promise.all([stopServing(), trainer.stop(), builder.stop()])
      await host.stop()
      await messageLog.close()
    }
  }
}

async function requireBase(
  config: PeerConfig,
  charter: Parameters<typeof requireCharterBase>[1]
): Promise<void> {
  try {
    await access(join(config.model, 'config.json'))
  } catch {
    throw new PeerError(`${config.model} holds no base model (no config.json): set --model to its folder`)
  }
  await requireCharterBase(loadBaseModel(config.model), charter)
}
