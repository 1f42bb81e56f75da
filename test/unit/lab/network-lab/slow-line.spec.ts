import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, connect, createServer } from 'node:net'
import { openSlowLine } from '../../../../lab/network-lab/slow-line.ts'

describe('a slow line', () => {
  it('delivers everything in order, no sooner than latency and rate allow', async () => {
    const echo = createServer((socket) => socket.pipe(socket))
    echo.listen(0, '127.0.0.1')
    await once(echo, 'listening')
    const line = await openSlowLine((echo.address() as AddressInfo).port, {
      roundTripMs: 40,
      megabitsPerSecond: 8
    })
    const socket = connect(line.port, '127.0.0.1')
    await once(socket, 'connect')
    const sent = Buffer.from(Array.from({ length: 20_000 }, (_, index) => index % 251))
    const begun = performance.now()
    for (let at = 0; at < sent.length; at += 1_000) socket.write(sent.subarray(at, at + 1_000))
    const parts: Buffer[] = []
    let length = 0
    while (length < sent.length) {
      const [part] = (await once(socket, 'data')) as [Buffer]
      parts.push(part)
      length += part.length
    }
    // 20,000 bytes at a byte a microsecond take 20 ms, and half a round trip each way 40; timers may be 1 ms early.
    assert.ok(performance.now() - begun >= 58)
    assert.deepEqual(Buffer.concat(parts), sent)
    socket.destroy()
    await line.close()
    echo.close()
    await once(echo, 'close')
  })
})
