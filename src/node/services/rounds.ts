import type { ListedFile } from '../../formats/index.ts'
import { consortiumCid, verifyEd25519 } from '../../protocol/index.ts'
import { SyncService } from '../catch-up/sync-service.ts'
import type { DriverComponents } from '../driver/components.ts'
import { Heads } from '../driver/heads.ts'
import { RoundDriver } from '../driver/round-driver.ts'
import type { MessageLog } from '../home/message-log.ts'
import { withLastPorts } from '../network/host/last-port.ts'
import { listen } from '../network/host/listen.ts'
import { BLOCK_SERVER_LIMITS, createHost, startBlockExchange } from '../network/index.ts'
import { AddressExchange } from '../network/peers/address-exchange.ts'
import { AddressKeeper, loadAddresses, loadOwnAddresses } from '../network/peers/known-addresses.ts'
import type { BlockStore } from '../storage/index.ts'
import { startBuilder } from '../workers/builder/builder.ts'
import { createTrainer } from '../workers/trainer/trainer.ts'
import { RequestService } from './request-service.ts'
import type { Running } from './running.ts'

/** The driver and its components. */
export interface DriverParts {
  readonly components: DriverComponents
  readonly driver: RoundDriver
  /** Starts the driver; gossip reaches it only afterwards. */
  readonly start: () => void
}

/**
 * Starts the host and the exchange of blocks, and the driver of the rounds on them.
 *
 * @param files whole files that are served from the start: the base model's, and the model of the last sealed round
 */
export async function startNetwork(
  { options: { home, logs }, config, member, telling, started }: Running,
  blocks: BlockStore,
  messageLog: MessageLog,
  files: readonly ListedFile[]
): Promise<DriverParts> {
  const { charter, identity, rounds, invite, known } = member
  const networkLog = logs.of('network')
  let listening: RoundDriver | undefined
  const isCounted = config.control.enabled || config.metrics.listen !== undefined
  const addresses = await withLastPorts(config.network.listen, await loadOwnAddresses(home))
  const host = await createHost({
    privateKey: identity.privateKey,
    listen: addresses,
    bootstrap: known.bootstrap,
    reach: config.network,
    topic: `/loam/${consortiumCid(charter.id)}/1`,
    isAllowed: known.isAllowed,
    validateGossip: (bytes, from) => {
      const verdict = listening?.receive(bytes, from.toString()) ?? 'ignore'
      if (verdict === 'reject' || verdict === 'fault') telling.metrics.noteRejected()
      return verdict === 'fault' ? 'ignore' : verdict
    },
    onGossip: () => {},
    trainers: () => listening?.state.context.trainers.length ?? charter.charter.members.length,
    onExcess: (messages) => telling.metrics.noteDropped(messages),
    log: networkLog,
    metrics: isCounted ? telling.metrics : undefined
  })
  host.addAddresses(await loadAddresses(home, networkLog))
  const trainer = createTrainer()
  const builder = startBuilder(home.folder, logs.of('building'))
  started.push(() => Promise.all([trainer.stop(), builder.stop(), host.stop()]))
  await listen(host, addresses)
  const exchange = await startBlockExchange(host, blocks, logs.of('blocks'), {
    serving: { ...BLOCK_SERVER_LIMITS, uploadBytesPerSecond: config.blocks.uploadLimit },
    zstd: config.blocks.zstd
  })
  started.push(() => exchange.stop())
  for (const file of files) exchange.serveFile(file)
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
    report: telling.report
  }
  const driver = new RoundDriver(components)
  const start = () => {
    driver.start(true)
    listening = driver
  }
  return { components, driver, start }
}

/** Starts the rounds, and what members ask of each other beside them. */
export async function startServices(
  { options: { home, logs }, member: { charter }, started }: Running,
  { components, driver, start }: DriverParts
): Promise<void> {
  const { host } = components
  const networkLog = logs.of('network')
  const networkComponents = { ...components, log: networkLog }
  const sync = new SyncService(networkComponents, driver)
  const addresses = new AddressExchange(networkComponents, charter.id)
  const requests = new RequestService(components, driver, charter.id)
  const keeper = new AddressKeeper(home, () => host.knownAddresses(), networkLog)
  start()
  started.push(() =>
    Promise.all([requests.stop(), sync.stop(), addresses.stop(), driver.stop(), keeper.stop()])
  )
  await sync.start()
  await addresses.start()
  keeper.start()
  requests.start()
}
