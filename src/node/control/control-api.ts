import { lstat, rm } from 'node:fs/promises'
import type { AddressInfo } from 'node:net'
import { parseHostAndPort } from '../config/groups/metrics.ts'
import type { PeerReport } from '../home/peer-report.ts'
import { errorCode, writeFileAtomic } from '../storage/index.ts'
import { isMissing, messageOf, PeerError } from '../storage/peer-error.ts'
import type { ControlComponents } from './components.ts'
import { type ControlServer, createControlServer } from './server.ts'
import { loadOrCreateToken } from './token.ts'

const LOOPBACK = '127.0.0.1'

/** A listening control API. */
export interface ControlApi {
  /** `http://127.0.0.1:PORT` or the path of a unix socket; undefined if it is turned off. */
  readonly address: string | undefined
  stop(): Promise<void>
}

/**
 * Serves the control API as the settings say, and writes where it is to `HOME/control.json`.
 *
 * @throws {PeerError} when it cannot listen on its port or socket
 */
export async function startControlApi(components: ControlComponents): Promise<ControlApi> {
  const { config, home, metrics, driver, host, log } = components
  const servers: ControlServer[] = []
  const stops: (() => unknown)[] = []
  const stop = async () => {
    await rm(home.control, { force: true })
    for (const end of stops.splice(0)) end()
    await Promise.all(servers.map((server) => server.close()))
  }
  metrics.watch({
    home,
    host,
    state: () => driver.state,
    trainerPid: components.trainerPid,
    copies: () => components.handshakes.copies().size,
    streams: () => ({ open: sum(servers, 'open'), dropped: sum(servers, 'dropped') })
  })
  try {
    let address: string | undefined
    if (config.control.enabled) {
      const token =
        config.control.token ??
        (await loadOrCreateToken(home.controlToken, () =>
          log.warn(
            { file: home.controlToken },
            'a secret file was accessible to other users; its mode is now 600'
          )
        ))
      const server = createControlServer(components, token)
      servers.push(server)
      stops.push(...feed(components, server))
      address = await listen(server, config.control)
      const place = config.control.socket === undefined ? { address } : { socket: address }
      const text = `${JSON.stringify({ version: 1, pid: process.pid, ...place })}\n`
      await writeFileAtomic(home.control, Buffer.from(text))
    }
    if (config.metrics.listen !== undefined) {
      const server = createControlServer(components, undefined)
      servers.push(server)
      await listenAt(server, parseHostAndPort(config.metrics.listen)!, '--metrics-listen')
    }
    if (address !== undefined) log.info({ address }, 'the control API is listening')
    return { address, stop }
  } catch (error) {
    await stop()
    throw error
  }
}

/** Sends reports and log lines to the subscribed clients. */
function feed({ observer, recent }: ControlComponents, { streams }: ControlServer): (() => void)[] {
  return [
    observer.listen((report: PeerReport) => streams.send(report.type, report)),
    recent.listen((line) => {
      if (streams.open > 0) streams.send('log', JSON.parse(line))
    })
  ]
}

async function listen(
  server: ControlServer,
  { socket, port }: ControlComponents['config']['control']
): Promise<string> {
  if (socket === undefined) {
    await listenAt(server, { host: LOOPBACK, port }, '--control-port')
    return `http://${LOOPBACK}:${(server.app.server.address() as AddressInfo).port}`
  }
  await removeDeadSocket(socket)
  try {
    await server.app.listen({ path: socket })
  } catch (error) {
    throw new PeerError(
      `cannot listen on ${socket}: ${messageOf(error)}; set --control-socket to a free path`
    )
  }
  return socket
}

async function listenAt(
  { app }: ControlServer,
  address: { host: string; port: number },
  flag: string
): Promise<void> {
  try {
    await app.listen(address)
  } catch (error) {
    const reason = errorCode(error) === 'EADDRINUSE' ? 'it is in use' : messageOf(error)
    throw new PeerError(
      `cannot listen on ${address.host}:${address.port}: ${reason}; set ${flag} to a free port`
    )
  }
}

/** This process holds the home's lock: a socket left here belongs to a daemon that died. */
async function removeDeadSocket(path: string): Promise<void> {
  try {
    if (!(await lstat(path)).isSocket())
      throw new PeerError(`${path} exists and is not a socket: set --control-socket to a free path`)
    await rm(path)
  } catch (error) {
    if (!isMissing(error)) throw error
  }
}

function sum(servers: readonly ControlServer[], what: 'open' | 'dropped'): number {
  return servers.reduce((total, { streams }) => total + streams[what], 0)
}
