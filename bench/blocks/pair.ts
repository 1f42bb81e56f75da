import { once } from 'node:events'
import { type connect as connectSocket, createServer } from 'node:net'
import { Worker } from 'node:worker_threads'
import { median } from '../support/median.ts'
import { startMesh } from './bench-peers.ts'

/** Part (a): one pair of processes. */
export interface PairResult {
  readonly MBps: number
  readonly bareMBps: number
  readonly tcpMBps: number
  readonly ratio: number
}

const MiB = 2 ** 20
const RUNS = 3

/** Moves `mebibytes` by the block exchange, by a bare stream of the same stack, and by TCP, in turns. */
export async function measurePair(mebibytes: number): Promise<PairResult> {
  const [holder, asker] = await startMesh(2)
  try {
    const bytes = mebibytes * MiB
    const times = { blocks: [] as number[], bare: [] as number[], tcp: [] as number[] }
    for (let run = 0; run < RUNS; run++) {
      const publication = await holder!.make(mebibytes, MiB)
      times.blocks.push(await asker!.fetch([publication]))
      times.bare.push(await asker!.read(holder!.peerId, bytes))
      times.tcp.push(await timeTcp(bytes))
    }
    const speed = (milliseconds: readonly number[]) => bytes / 1e3 / median(milliseconds)
    const MBps = speed(times.blocks)
    const bareMBps = speed(times.bare)
    return { MBps, bareMBps, tcpMBps: speed(times.tcp), ratio: MBps / bareMBps }
  } finally {
    await Promise.all([holder!.stop(), asker!.stop()])
  }
}

const SENDER = `
const { connect } = require('node:net')
const { workerData } = require('node:worker_threads')
const socket = connect(workerData.port, '127.0.0.1')
const chunk = Buffer.alloc(131072)
let left = workerData.bytes
const send = () => {
  while (left > 0) {
    left -= chunk.length
    if (!socket.write(chunk)) return socket.once('drain', send)
  }
  socket.end()
}
send()
`

/** Time for the same bytes over a plain socket between two threads, milliseconds. */
async function timeTcp(bytes: number): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  const worker = new Worker(SENDER, { eval: true, workerData: { port, bytes } })
  const [socket] = (await once(server, 'connection')) as [ReturnType<typeof connectSocket>]
  const began = performance.now()
  socket.resume()
  await once(socket, 'end')
  const milliseconds = performance.now() - began
  server.close()
  await worker.terminate()
  return milliseconds
}
