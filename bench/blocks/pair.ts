import { once } from 'node:events'
import { type connect as connectSocket, createServer } from 'node:net'
import { Worker } from 'node:worker_threads'
import { median } from '../support/median.ts'
import { type BenchPeer, startMesh } from './peers/bench-peers.ts'

/** Part (a): one pair of processes. */
export interface PairResult {
  readonly MBps: number
  readonly bareMBps: number
  readonly tcpMBps: number
  readonly ratio: number
  /** Processor time of both processes, milliseconds per MiB: the figure least affected by a busy machine. */
  readonly cpuMs: number
  readonly bareCpuMs: number
}

const MiB = 2 ** 20
const RUNS = 3

/** Moves `mebibytes` by the block exchange, by a bare stream of the same stack, and by TCP, in turns. */
export async function measurePair(mebibytes: number): Promise<PairResult> {
  const [provider, asker] = await startMesh(2)
  try {
    const bytes = mebibytes * MiB
    const times = { blocks: [] as number[], bare: [] as number[], tcp: [] as number[] }
    const cpu = { blocks: [] as number[], bare: [] as number[] }
    const measured = async (kind: keyof typeof cpu, work: () => Promise<number>) => {
      const before = await cpuOf(provider!, asker!)
      times[kind].push(await work())
      cpu[kind].push(((await cpuOf(provider!, asker!)) - before) / mebibytes)
    }
    for (let run = 0; run < RUNS; run++) {
      const publication = await provider!.make(mebibytes, MiB)
      await measured('blocks', () => asker!.fetch([publication]))
      await measured('bare', () => asker!.read(provider!.peerId, bytes))
      times.tcp.push(await timeTcp(bytes))
    }
    const speed = (milliseconds: readonly number[]) => bytes / 1e3 / median(milliseconds)
    const MBps = speed(times.blocks)
    const bareMBps = speed(times.bare)
    return {
      MBps,
      bareMBps,
      tcpMBps: speed(times.tcp),
      ratio: MBps / bareMBps,
      cpuMs: median(cpu.blocks),
      bareCpuMs: median(cpu.bare)
    }
  } finally {
    await Promise.all([provider!.stop(), asker!.stop()])
  }
}

async function cpuOf(...peers: readonly BenchPeer[]): Promise<number> {
  const reports = await Promise.all(peers.map((peer) => peer.report()))
  return reports.reduce((sum, { cpuMs }) => sum + cpuMs, 0)
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
