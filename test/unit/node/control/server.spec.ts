import assert from 'node:assert/strict'
import { once } from 'node:events'
import { request } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { promisify } from 'node:util'
import type { ControlComponents } from '../../../../src/node/control/components.ts'
import { UNPROVEN_MAX } from '../../../../src/node/control/connection-slots.ts'
import { createControlServer } from '../../../../src/node/control/server.ts'
import { createMetrics } from '../../../../src/node/metrics/index.ts'

const TOKEN = 'x'.repeat(43)
/** The parts that the pages asked for here use. */
const components = {
  metrics: createMetrics('0'),
  config: { metrics: { hosts: ['peer.example.org'] } }
} as unknown as ControlComponents

describe('the server of the control API', () => {
  let sockets: Socket[]
  let close: () => Promise<void>
  let port: number
  let count: () => Promise<number>

  async function serve(token: string | undefined, requestMs?: number): Promise<void> {
    const server = createControlServer(components, token, requestMs)
    await server.app.listen({ host: '127.0.0.1', port: 0 })
    port = (server.app.server.address() as AddressInfo).port
    count = promisify(server.app.server.getConnections.bind(server.app.server))
    close = () => server.close()
  }
  /** Silent connections. */
  async function idle(number: number): Promise<void> {
    for (let index = 0; index < number; index++) {
      const socket = connect(port, '127.0.0.1').on('error', () => undefined)
      sockets.push(socket)
      await once(socket, 'connect')
    }
  }
  async function ask(path: string, headers: Record<string, string>): Promise<number> {
    const asking = request({ host: '127.0.0.1', port, path, headers, agent: false }).end()
    const [response] = await once(asking, 'response')
    response.resume()
    return response.statusCode
  }

  beforeEach(() => {
    sockets = []
  })
  afterEach(async () => {
    for (const socket of sockets) socket.destroy()
    await close()
  })

  it('answers a client with the token while 100 others hold idle connections', async () => {
    await serve(TOKEN, 200_000)
    await idle(100)
    for (let again = 0; again < 3; again++)
      assert.equal(await ask('/metrics', { authorization: `Bearer ${TOKEN}` }), 200)
    assert((await count()) <= UNPROVEN_MAX + 1)
  })

  it('closes a silent connection', async () => {
    await serve(TOKEN, 30)
    await idle(1)
    sockets[0]!.resume()
    await once(sockets[0]!, 'close')
  })

  it('serves metrics without a token, but not to web pages under their own host name', async () => {
    await serve(undefined)
    for (const host of ['127.0.0.1:9464', 'peer-0:9464', 'peer.example.org'])
      assert.equal(await ask('/metrics', { host }), 200)
    for (const path of ['/metrics', '/healthz', '/readyz'])
      assert.equal(await ask(path, { host: 'evil.example' }), 403)
  })
})
