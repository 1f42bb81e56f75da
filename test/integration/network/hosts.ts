import { generateKeyPair } from '@libp2p/crypto/keys'
import type { PeerId, PrivateKey } from '@libp2p/interface'
import type { ReachOptions } from '../../../src/node/config/reach.ts'
import type { Log } from '../../../src/node/log/log.ts'
import {
  type BanTimes,
  createHost,
  type GossipVerdict,
  type NetworkHost
} from '../../../src/node/network/index.ts'
import { until } from '../../support/until.ts'

/** A log that keeps its messages for the test. */
export function memoryLog(): Log & { readonly messages: string[] } {
  const messages: string[] = []
  const note = (fields: object, message: string) => void messages.push(`${message} ${JSON.stringify(fields)}`)
  return { messages, debug: note, info: note, warn: note, error: note }
}

/** A started host and what it received. */
export interface TestHost extends NetworkHost {
  readonly heard: string[]
  readonly log: ReturnType<typeof memoryLog>
}

const open: NetworkHost[] = []

/** Starts a real host on a free port of 127.0.0.1. */
export async function startHost(options: {
  bootstrap?: readonly NetworkHost[]
  isAllowed?: (peerId: PeerId) => boolean
  validate?: (text: string) => GossipVerdict
  banTimes?: BanTimes
  privateKey?: PrivateKey
  listen?: string | readonly string[]
  reach?: Partial<ReachOptions>
}): Promise<TestHost> {
  const heard: string[] = []
  const log = memoryLog()
  const host = await createHost({
    privateKey: options.privateKey ?? (await generateKeyPair('Ed25519')),
    listen: [options.listen ?? '/ip4/127.0.0.1/tcp/0'].flat(),
    bootstrap: (options.bootstrap ?? []).flatMap((other) => other.multiaddrs()),
    reach: { mdns: false, ...options.reach },
    topic: '/loam/test/1',
    isAllowed: options.isAllowed ?? (() => true),
    validateGossip: (bytes) => options.validate?.(Buffer.from(bytes).toString()) ?? 'accept',
    onGossip: (bytes) => void heard.push(Buffer.from(bytes).toString()),
    ...(options.banTimes === undefined ? {} : { banTimes: options.banTimes }),
    log
  })
  await host.start()
  open.push(host)
  return Object.assign(host, { heard, log })
}

/** Stops all hosts of a test. */
export async function stopHosts(): Promise<void> {
  await Promise.all(open.splice(0).map((host) => host.stop()))
}

/** Waits until every host gossips with every other. */
export async function untilMeshed(...hosts: readonly NetworkHost[]): Promise<void> {
  await until(() => hosts.every((host) => host.peers().length >= hosts.length - 1))
  // A connection exists before the subscription has crossed it.
  await until(async () => {
    const counts = await Promise.all(
      hosts.map((host) => host.publish(Buffer.from(`probe ${host.peerId} ${Math.random()}`)))
    )
    return counts.every((count) => count >= hosts.length - 1)
  })
}
