import { type BenchPeer, exchangeAll, startPeers } from '../peers/bench-peers.ts'
import { measureTcp, type TcpResult } from './bare-tcp.ts'
import type { LineReport } from './delay-line.ts'
import { buildWideAreaLab } from './wide-area-lab.ts'

/** The cost of exchanging all blocks on lines with one loss rate. */
export interface LineResult {
  /** Completion ÷ (bytes of blocks into a peer ÷ link rate). */
  readonly timeRatio: number
  /** How often the busiest author sent its own blocks. */
  readonly authorUploadRatio: number
  readonly seconds: number
  /** Bytes of blocks into a peer, bits a second, of the mean peer. */
  readonly megabitsPerSecond: number
  /** One bare TCP stream on the same lines. */
  readonly tcp: TcpResult
  readonly congestionControl: string
  readonly line: LineReport
}

/** Part (c): 8 peers on lines with a rate and a delay. */
export interface WideAreaResult extends LineResult {
  readonly peers: number
  /** By each peer. */
  readonly publishedMiB: number
  readonly linkMegabitsPerSecond: number
  /** From one host to another, one way. */
  readonly delayMs: number
  /** The same with one packet of a hundred lost. */
  readonly loss: LineResult & { readonly publishedMiB: number }
}

const PEERS = 8
const LINK_MEGABITS = 50
const DELAY_MS = 40
const LOSS_PER_MILLE = 10
const PUBLISHED_MIB = 16
/** Fewer bytes, since it takes several times as long. */
const PUBLISHED_UNDER_LOSS_MIB = 4
const PORT = 4001
const TCP_SECONDS = 8

/**
 * Lets 8 peers in namespaces exchange what each publishes, without loss and with.
 *
 * @param onLine called with each as soon as it is measured
 */
export async function measureWideArea(
  onLine: (name: string, result: LineResult) => void
): Promise<WideAreaResult> {
  const clean = await measureLine(0, PUBLISHED_MIB)
  onLine('no loss', clean)
  const loss = await measureLine(LOSS_PER_MILLE, PUBLISHED_UNDER_LOSS_MIB)
  onLine('1 % loss', loss)
  return {
    peers: PEERS,
    publishedMiB: PUBLISHED_MIB,
    linkMegabitsPerSecond: LINK_MEGABITS,
    delayMs: DELAY_MS,
    ...clean,
    loss: { publishedMiB: PUBLISHED_UNDER_LOSS_MIB, ...loss }
  }
}

async function measureLine(lossPerMille: number, publishedMiB: number): Promise<LineResult> {
  const lab = await buildWideAreaLab({
    hosts: PEERS,
    megabitsPerSecond: LINK_MEGABITS,
    delayMs: DELAY_MS,
    lossPerMille
  })
  let mesh: readonly BenchPeer[] = []
  try {
    const tcp = await measureTcp(lab.hosts[0]!, lab.hosts[1]!, TCP_SECONDS)
    mesh = await startPeers(
      lab.hosts.map(({ prefix, address }) => ({ prefix, listen: `/ip4/${address}/tcp/${PORT}` }))
    )
    const { seconds, reports } = await exchangeAll(mesh, publishedMiB)
    const bytesIn = reports.reduce((sum, { received }) => sum + received, 0) / PEERS
    const idealSeconds = (8 * bytesIn) / 1e6 / LINK_MEGABITS
    return {
      timeRatio: seconds / idealSeconds,
      authorUploadRatio: Math.max(...reports.map(({ sentOwn }) => sentOwn)) / (publishedMiB * 2 ** 20),
      seconds,
      megabitsPerSecond: (8 * bytesIn) / 1e6 / seconds,
      tcp,
      congestionControl: lab.congestionControl,
      line: await lab.endLine()
    }
  } finally {
    await Promise.allSettled(mesh.map((peer) => peer.stop()))
    await lab.end()
  }
}
