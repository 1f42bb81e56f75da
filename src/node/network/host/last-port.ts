import { createServer } from 'node:net'
import { networkInterfaces } from 'node:os'
import { multiaddr } from '@multiformats/multiaddr'

/** The parts of a listening address; undefined if it has no TCP port. */
interface TcpAddress {
  readonly family: 'ip4' | 'ip6'
  readonly host: string
  readonly port: number
  /** What follows the port: `/ws` or nothing. */
  readonly rest: string
}

/**
 * Addresses to listen on, with port 0 replaced by the port of the last run if it is still free: the others know this
 * peer by that address, and without mDNS or a bootstrap peer they would not learn a new one.
 *
 * @param addresses as configured
 * @param last addresses of the last run
 */
export async function withLastPorts(
  addresses: readonly string[],
  last: readonly string[]
): Promise<string[]> {
  const own = new Set(
    Object.values(networkInterfaces()).flatMap((known) => known!.map(({ address }) => address))
  )
  // Announced addresses of routers and operators have their own ports.
  const before = last.flatMap((address) => tcpAddress(address) ?? []).filter(({ host }) => own.has(host))
  const taken = new Set<number>()
  const chosen: string[] = []
  for (const address of addresses) {
    const wanted = tcpAddress(address)
    const known =
      wanted?.port === 0
        ? before.find(
            ({ family, rest, port }) => family === wanted.family && rest === wanted.rest && !taken.has(port)
          )
        : undefined
    if (known !== undefined) taken.add(known.port)
    chosen.push(
      known !== undefined && (await isFree(wanted!.host, known.port))
        ? address.replace('/tcp/0', `/tcp/${known.port}`)
        : address
    )
  }
  return chosen
}

function tcpAddress(address: string): TcpAddress | undefined {
  const names = multiaddr(address).getComponents()
  const [ip, tcp] = names
  if ((ip?.name !== 'ip4' && ip?.name !== 'ip6') || tcp?.name !== 'tcp') return undefined
  if (names.some(({ name }) => name === 'p2p-circuit')) return undefined
  const rest = names.slice(2).filter(({ name }) => name !== 'p2p')
  return {
    family: ip.name,
    host: ip.value!,
    port: Number(tcp.value),
    rest: rest.map(({ name }) => `/${name}`).join('')
  }
}

/** Whether a port is free. */
function isFree(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen({ host, port, exclusive: true, ipv6Only: host.includes(':') }, () =>
      server.close(() => resolve(true))
    )
  })
}
