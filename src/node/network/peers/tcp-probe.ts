import { lookup } from 'node:dns/promises'
import { connect } from 'node:net'
import {
  CODE_DNS,
  CODE_DNS4,
  CODE_DNS6,
  CODE_IP4,
  CODE_IP6,
  CODE_TCP,
  type Multiaddr
} from '@multiformats/multiaddr'
import { withDeadline } from '../requests/deadline.ts'

/** The outcome of a plain TCP connection to an address. */
export type TcpOutcome = 'open' | 'refused' | 'timeout' | 'unreachable' | 'unknown-name'

/** Host and port of a TCP or WebSocket address; undefined for others. */
export interface HostPort {
  readonly host: string
  readonly port: number
  readonly isName: boolean
}

const NAME_CODES: readonly number[] = [CODE_DNS, CODE_DNS4, CODE_DNS6]
const HOST_CODES: readonly number[] = [...NAME_CODES, CODE_IP4, CODE_IP6]

/** The first hop of an address, to which the TCP connection is opened. */
export function hostPortOf(address: Multiaddr): HostPort | undefined {
  const components = address.getComponents()
  const host = components.find(({ code }) => HOST_CODES.includes(code))
  const port = components.find(({ code }) => code === CODE_TCP)
  if (host?.value === undefined || port?.value === undefined) return undefined
  return { host: host.value, port: Number(port.value), isName: NAME_CODES.includes(host.code) }
}

/**
 * Opens a TCP connection and closes it. It distinguishes a closed port from a silent one, and is cheaper than a
 * handshake.
 *
 * @param timeoutMs for DNS and the connection together
 * @throws {NetworkError} `aborted`
 */
export async function probeTcp(
  { host, port, isName }: HostPort,
  timeoutMs: number,
  signal?: AbortSignal
): Promise<TcpOutcome> {
  try {
    return await withDeadline(`connecting to ${host}`, timeoutMs, signal, async (deadline) => {
      const address = isName ? await resolveName(host) : host
      return address === undefined ? 'unknown-name' : connectOnce(address, port, deadline)
    })
  } catch (error) {
    if (signal?.aborted === true) throw error
    return 'timeout'
  }
}

async function resolveName(name: string): Promise<string | undefined> {
  try {
    return (await lookup(name)).address
  } catch {
    return undefined
  }
}

const OUTCOMES: Readonly<Record<string, TcpOutcome>> = { ECONNREFUSED: 'refused', ETIMEDOUT: 'timeout' }

function connectOnce(host: string, port: number, signal: AbortSignal): Promise<TcpOutcome> {
  return new Promise((resolve) => {
    const socket = connect({ host, port })
    const finish = (outcome: TcpOutcome) => {
      signal.removeEventListener('abort', onAbort)
      socket.destroy()
      resolve(outcome)
    }
    const onAbort = () => finish('timeout')
    signal.addEventListener('abort', onAbort, { once: true })
    socket.once('connect', () => finish('open'))
    socket.once('error', (error: NodeJS.ErrnoException) =>
      finish(OUTCOMES[error.code ?? ''] ?? 'unreachable')
    )
  })
}

/**
 * The addresses that accept a TCP connection, in their order; all are tried in parallel. Non-TCP addresses are kept.
 */
export async function openAddresses(
  addresses: readonly Multiaddr[],
  timeoutMs: number,
  signal?: AbortSignal
): Promise<Multiaddr[]> {
  const outcomes = await Promise.all(
    addresses.map(async (address) => {
      const hop = hostPortOf(address)
      return hop === undefined ? 'open' : probeTcp(hop, timeoutMs, signal)
    })
  )
  return addresses.filter((_, index) => outcomes[index] === 'open')
}
