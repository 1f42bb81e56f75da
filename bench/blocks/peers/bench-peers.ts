import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { Done, Order, Publication } from './messages.ts'

type Answer<T extends Done['type']> = Extract<Done, { type: T }>

const PROCESS = fileURLToPath(new URL('./peer-process.js', import.meta.url))
const MiB = 2 ** 20
/** Timeout of one command to a peer, milliseconds. */
const ORDER_MS = 300_000

/** Where a peer runs, if not in the same place as this process. */
export interface BenchPeerOptions {
  /** What to put before the command: `ip netns exec NAME` runs it in a network namespace. */
  readonly prefix?: readonly string[]
  /** Where it listens, a multiaddress. */
  readonly listen?: string
}

/** A peer in a separate process. */
export class BenchPeer {
  readonly #child: ChildProcess
  readonly peerId: string
  readonly addresses: readonly string[]

  private constructor(child: ChildProcess, { peerId, addresses }: Answer<'started'>) {
    this.#child = child
    this.peerId = peerId
    this.addresses = addresses
  }

  static async start({ prefix = [], listen }: BenchPeerOptions = {}): Promise<BenchPeer> {
    const [command, ...args] = [...prefix, process.execPath, ...process.execArgv, PROCESS]
    const child = spawn(command!, args, {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      env: { ...process.env, ...(listen === undefined ? {} : { LOAM_BENCH_LISTEN: listen }) }
    })
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

  /** @param ms time limit; it stops then, whatever is left */
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
  const { signal } = over
  // Node 20 may drop a timeout that only AbortSignal.any references.
  const timer = setTimeout(() => over.abort(new Error(`no answer within ${ORDER_MS} ms`)), ORDER_MS)
  const ended = once(child, 'exit', { signal }).then(() => [{ type: 'failed', reason: 'the process ended' }])
  ended.catch(() => undefined)
  const [done] = (await Promise.race([once(child, 'message', { signal }), ended]).finally(() => {
    clearTimeout(timer)
    over.abort()
  })) as [Done]
  if (done.type !== expected) throw new Error(`a peer of the benchmark failed: ${JSON.stringify(done)}`)
  return done as Answer<T>
}

/** Starts a number of peers on this machine and connects each to each. */
export async function startMesh(peers: number): Promise<BenchPeer[]> {
  return startPeers(Array.from({ length: peers }, () => ({})))
}

/** Starts a peer for each of the options and connects each to each. */
export async function startPeers(options: readonly BenchPeerOptions[]): Promise<BenchPeer[]> {
  const mesh = await Promise.all(options.map((each) => BenchPeer.start(each)))
  const addresses = mesh.flatMap((peer) => peer.addresses)
  await Promise.all(mesh.map((peer) => peer.connect(addresses, mesh.length - 1)))
  return mesh
}

/** The cost of exchanging everything. */
export interface Exchanged {
  readonly seconds: number
  /** Bytes that each peer wants: what all others publish. */
  readonly unique: number
  readonly reports: readonly Answer<'report'>[]
}

/** Lets each peer publish blocks of 1 MiB and fetch what all others published. */
export async function exchangeAll(mesh: readonly BenchPeer[], blocksEach: number): Promise<Exchanged> {
  const publications = await Promise.all(mesh.map((peer) => peer.make(blocksEach, MiB)))
  const began = performance.now()
  await Promise.all(
    mesh.map((peer) => peer.fetch(publications.filter(({ peerId }) => peerId !== peer.peerId)))
  )
  const seconds = (performance.now() - began) / 1e3
  const reports = await Promise.all(mesh.map((peer) => peer.report()))
  return { seconds, unique: (mesh.length - 1) * blocksEach * MiB, reports }
}
