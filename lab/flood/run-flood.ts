import { loadavg } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { HostileMember } from '../../test/e2e/peer/hostile-member.ts'
import { agree, PeerNetwork } from '../../test/e2e/peer/peer-network.ts'
import { usageOf } from './processor-time.ts'
import { type Flood, uselessVotes } from './useless-messages.ts'

/** How to flood. */
export interface FloodOptions {
  /** Number of honest members; one more floods. */
  readonly honest: number
  readonly flood: Flood
  /** Messages a second. */
  readonly rate: number
  /** Rounds in each half of a pair, and the number of pairs. */
  readonly rounds: number
  readonly pairs: number
  readonly tell: (text: string) => void
}

/** Rounds without and with a flood, one after the other. */
export interface FloodPair {
  /** Seconds a round. */
  readonly quietSeconds: number
  readonly floodSeconds: number
  readonly ratio: number
  /** Messages per second that reached each of the others: none while they shut the member out. */
  readonly sentPerSecond: number
  /**
   * Additional processor time per message for each of the others, compared to the same rounds without the flood,
   * milliseconds.
   */
  readonly cpuMsPerMessage: number
  /** Largest resident memory of a daemon at the end of each half, bytes. */
  readonly quietMemory: number
  readonly floodMemory: number
  /** Mean number of runnable processes in the last minute: how busy the machine was otherwise. */
  readonly load: number
}

const TICK_MS = 20

/** The measurements of a span of rounds. */
interface Span {
  readonly seconds: number
  readonly cpuMs: number
  readonly memory: number
  readonly sent: number
}

/** One member of a real network sends valid but useless messages in every other span of rounds. */
export async function runFlood(options: FloodOptions): Promise<FloodPair[]> {
  const { honest, pairs, tell } = options
  const indices = Array.from({ length: honest }, (_, index) => index)
  const network = await PeerNetwork.prepare(honest + 1)
  let member: HostileMember | undefined
  try {
    await network.start(...indices)
    member = await HostileMember.join(
      network.prepared,
      honest,
      indices.flatMap((index) => network.watches[index]!.addresses)
    )
    const flooder = new Flooder(member, network, options)
    // The first rounds wait for the silent member, and the first training loads the model.
    await network.untilSealed(4, ...indices)
    const found: FloodPair[] = []
    for (let pair = 1; pair <= pairs; pair++) {
      const quiet = await flooder.span(false)
      const flooded = await flooder.span(true)
      found.push({
        quietSeconds: quiet.seconds / options.rounds,
        floodSeconds: flooded.seconds / options.rounds,
        ratio: flooded.seconds / quiet.seconds,
        sentPerSecond: flooded.sent / flooded.seconds,
        cpuMsPerMessage: (flooded.cpuMs - quiet.cpuMs) / honest / Math.max(1, flooded.sent),
        quietMemory: quiet.memory,
        floodMemory: flooded.memory,
        load: loadavg()[0]!
      })
      tell(`pair ${pair} of ${pairs}: ${JSON.stringify(found.at(-1))}`)
    }
    if (!agree(network.watches)) throw new Error('honest members sealed different models')
    return found
  } finally {
    await member?.stop()
    await network.end()
  }
}

/** Sends messages and measures meanwhile. */
class Flooder {
  readonly #member: HostileMember
  readonly #network: PeerNetwork
  readonly #options: FloodOptions

  constructor(member: HostileMember, network: PeerNetwork, options: FloodOptions) {
    this.#member = member
    this.#network = network
    this.#options = options
  }

  async span(isFlooded: boolean): Promise<Span> {
    const { honest, rounds } = this.#options
    const pids = Array.from({ length: honest }, (_, index) => this.#network.pid(index))
    const cpu = () => pids.reduce((sum, pid) => sum + usageOf(pid).cpuMs, 0)
    const first = this.#network.lastSealed(0)
    await this.#network.untilSealed(first + 1, 0)
    const [began, before] = [performance.now(), cpu()]
    const over = new AbortController()
    const sending = isFlooded ? this.#send(over.signal) : Promise.resolve(0)
    await this.#network.untilSealed(first + 1 + rounds, 0)
    const span = { seconds: (performance.now() - began) / 1_000, cpuMs: cpu() - before }
    over.abort()
    const memory = Math.max(...pids.map((pid) => usageOf(pid).memory))
    return { ...span, memory, sent: await sending }
  }

  /** @returns how many messages were sent to each of the others; those that nobody takes do not count */
  async #send(signal: AbortSignal): Promise<number> {
    const { rate, flood, honest } = this.#options
    const { signer } = this.#member.identity
    const began = performance.now()
    let sent = 0
    let taken = 0
    for (let round = -1, votes: Generator<Uint8Array> | undefined; !signal.aborted; ) {
      const sealed = this.#network.lastSealed(0)
      if (sealed !== round || votes === undefined) {
        votes = uselessVotes(await this.#member.context(), signer)
        round = sealed
      }
      const due = Math.min(((performance.now() - began) / 1_000) * rate - sent, rate)
      const batch = Array.from(
        { length: Math.max(0, Math.floor(due)) },
        () => votes!.next().value as Uint8Array
      )
      if (flood === 'sync') {
        this.#member.offered = batch.length > 0 ? batch : this.#member.offered
        taken += batch.length
      } else
        for (const bytes of batch) {
          if (signal.aborted) break
          taken += (await this.#member.host.publish(bytes).catch(() => 0)) / honest
        }
      sent += batch.length
      await sleep(flood === 'sync' ? 1_000 : TICK_MS)
    }
    this.#member.offered = []
    return taken
  }
}
