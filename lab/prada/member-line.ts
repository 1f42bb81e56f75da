import { generateKeyPair } from '@libp2p/crypto/keys'
import { serveLogits } from '../../src/node/logits/logits-server.ts'
import { createMemberTransport } from '../../src/node/logits/member-transport.ts'
import { createHost, type NetworkHost } from '../../src/node/network/index.ts'
import { connectLogitsServer, createHttpTransport, type PradaComponents } from '../../src/prada/index.ts'
import { openSlowLine, type SlowLineOptions } from '../network-lab/slow-line.ts'

const nothing = (): void => undefined
const log = { debug: nothing, info: nothing, warn: nothing, error: nothing }
const POSITIONS_PER_MINUTE = 1e9

async function startHost(): Promise<NetworkHost> {
  const host = await createHost({
    privateKey: await generateKeyPair('Ed25519'),
    listen: ['/ip4/127.0.0.1/tcp/0'],
    bootstrap: [],
    reach: { mdns: false },
    topic: '/loam/bench/1',
    isAllowed: () => true,
    validateGossip: () => 'accept',
    onGossip: nothing,
    log
  })
  await host.start()
  return host
}

/**
 * Runs something with a remote that a member serves over `/loam/logits/1`: two hosts of this process, a TCP connection
 * through a slow line between them, and the logits server at `url` beside the serving one.
 */
export async function overMemberLine<Value>(
  url: string,
  line: SlowLineOptions,
  components: PradaComponents,
  work: (components: PradaComponents) => Promise<Value>
): Promise<Value> {
  const [server, client] = [await startHost(), await startHost()]
  const behind = createHttpTransport({ url })
  await behind.describe(AbortSignal.timeout(10_000))
  const stop = await serveLogits(server, {
    ...{ transport: behind, isMember: () => true, positionsPerMinute: POSITIONS_PER_MINUTE, log }
  })
  const [address] = server.multiaddrs()
  const port = /\/tcp\/(\d+)/.exec(String(address))?.[1]
  const slow = await openSlowLine(Number(port), line)
  try {
    client.addAddresses([`/ip4/127.0.0.1/tcp/${slow.port}/p2p/${server.peerId}`])
    const transport = createMemberTransport(client, server.peerId)
    return await work({ ...components, remote: await connectLogitsServer(transport) })
  } finally {
    await client.stop()
    await slow.close()
    await stop()
    await server.stop()
    behind.dispose()
  }
}
