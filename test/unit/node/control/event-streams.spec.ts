import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, get, type IncomingMessage, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { EventStreams, STREAM_BUFFER_MAX, STREAMS_MAX } from '../../../../src/node/control/event-streams.ts'

const everything = { wants: () => true }

describe('event streams', () => {
  let server: Server
  let streams: EventStreams
  let accepted: boolean[]

  beforeEach(async () => {
    streams = new EventStreams()
    accepted = []
    server = createServer((_request, response) => {
      const taken = streams.add(response, everything)
      accepted.push(taken)
      if (!taken) response.writeHead(503).end()
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
  })
  afterEach(async () => {
    streams.close()
    server.closeAllConnections()
    server.close()
    await once(server, 'close')
  })

  async function connect(): Promise<IncomingMessage> {
    const { port } = server.address() as AddressInfo
    const asking = get({ port, host: '127.0.0.1', agent: false })
    const [response] = (await once(asking, 'response')) as [IncomingMessage]
    return response
  }

  /** Reads until the text contains what is expected. */
  async function readUntil(response: IncomingMessage, sought: string): Promise<string> {
    let text = ''
    for await (const chunk of response.setEncoding('utf8')) {
      text += chunk as string
      if (text.includes(sought)) return text
    }
    return text
  }

  it('deliver events to every client', async () => {
    const [one, two] = [await connect(), await connect()]
    streams.send('sealed', { round: 3 })
    for (const response of [one, two])
      assert.match(await readUntil(response, '}'), /event: sealed\ndata: \{"round":3\}/)
  })

  it('drop what a slow client does not read, tell it so, and buffer no more than the bound', async () => {
    const slow = await connect()
    slow.pause()
    const filler = 'x'.repeat(16_384)
    let sent = 0
    while (streams.dropped === 0) {
      assert(sent++ < 10_000, 'nothing was ever dropped')
      streams.send('log', { filler })
      await new Promise((resolve) => setImmediate(resolve))
    }
    streams.send('log', { filler })
    assert(streams.dropped >= 2)
    // What is queued here and in the sockets' buffers is far less than what was sent.
    assert(sent * filler.length < STREAM_BUFFER_MAX + 64 * 2 ** 20)
    const reading = readUntil(slow, 'event: dropped')
    const pulse = setInterval(() => streams.send('log', {}), 5)
    const text = await reading
    clearInterval(pulse)
    assert.match(text, /event: dropped\ndata: \{"events":\d+\}/)
  })

  it('are limited in number, and free their slot when a client disconnects', async () => {
    const clients: IncomingMessage[] = []
    for (let client = 0; client < STREAMS_MAX; client++) clients.push(await connect())
    assert.equal((await connect()).statusCode, 503)
    const gone = new Promise<void>((resolve) => {
      const look = () => (streams.open < STREAMS_MAX ? resolve() : setImmediate(look))
      look()
    })
    clients[0]!.destroy()
    await gone
    assert.equal((await connect()).statusCode, 200)
    assert.deepEqual(accepted.filter((taken) => !taken).length, 1)
  })

  it('end when they are closed', async () => {
    const client = await connect()
    streams.close()
    client.resume()
    await once(client, 'end')
    assert.equal(streams.open, 0)
  })
})
