import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { Done, Order, Publication } from './messages.ts'

type Answer<T extends Done['type']> = Extract<Done, { type: T }>

const PROCESS = fileURLToPath(new URL('./peer-process.js', import.meta.url))
/** Longest that one order may take, milliseconds. */
const ORDER_MS = 300_000

/** A peer in a process of its own. */
export class BenchPeer {
  readonly #child: ChildProcess
  readonly peerId: string
  readonly addresses: readonly string[]

  private constructor(child: ChildProcess, { peerId, addresses }: Answer<'started'>) {
    this.#child = child
    this.peerId = peerId
    this.addresses = addresses
  }

  static async start(): Promise<BenchPeer> {
    const child = fork(PROCESS)
    return new BenchPeer(child, await answer(child, 'started'))
  }

  /** Makes and publishes blocks. */
  async make(blocks: number, blockBytes: number): Promise<Publication> {
    return (await this.#tell({ type: 'make', blocks, blockBytes }, 'made')).publication
  }

  async connect(addresses: readonly string[], peers: number): Promise<void> {
    await this.#tell({ type: 'connect', addresses, peers }, 'connected')
  }

  /** @returns how long it took, milliseconds */
  async fetch(from: readonly Publication[]): Promise<number> {
    return (await this.#tell({ type: 'fetch', from }, 'fetched')).ms
  }

  /** Reads bytes over a bare stream. @returns how long it took, milliseconds */
  async read(from: string, bytes: number): Promise<number> {
    return (await this.#tell({ type: 'read', from, bytes }, 'read')).ms
  }

  /** @param ms after which it stops, whatever is left */
  async gossip(messages: number, messageBytes: number, ms: number): Promise<void> {
    await this.#tell({ type: 'gossip', messages, messageBytes, ms }, 'gossiped')
  }

  async report(): Promise<Answer<'report'>> {
    return this.#tell({ type: 'report' }, 'report')
  }

  async stop(): Promise<void> {
    const ended = once(this.#child, 'exit')
    this.#child.send({ type: 'stop' } satisfies Order)
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), 15_000)
    await ended
    clearTimeout(timer)
  }

  #tell<T extends Done['type']>(order: Order, expected: T): Promise<Answer<T>> {
    const answered = answer(this.#child, expected)
    this.#child.send(order)
    return answered
  }
}

async function answer<T extends Done['type']>(child: ChildProcess, expected: T): Promise<Answer<T>> {
  const over = new AbortController()
  const signal = AbortSignal.any([over.signal, AbortSignal.timeout(ORDER_MS)])
  const ended = once(child, 'exit', { signal }).then(() => [{ type: 'failed', reason: 'the process ended' }])
  ended.catch(() => undefined)
  const [done] = (await Promise.race([once(child, 'message', { signal }), ended]).finally(() =>
    over.abort()
  )) as [Done]
  if (done.type !== expected)
    throw new Error(`a peer of the benchmark did not do its part: ${JSON.stringify(done)}`)
  return done as Answer<T>
}

/** Starts peers and connects each with each. */
export async function startMesh(peers: number): Promise<BenchPeer[]> {
  const mesh = await Promise.all(Array.from({ length: peers }, () => BenchPeer.start()))
  const addresses = mesh.flatMap((peer) => peer.addresses)
  await Promise.all(mesh.map((peer) => peer.connect(addresses, peers - 1)))
  return mesh
}
