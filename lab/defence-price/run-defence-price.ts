import { loadavg } from 'node:os'
import type { CharterTerms } from '../../src/node/consortium/create-charter.ts'
import { agree, PeerNetwork } from '../../test/e2e/peer/peer-network.ts'

/** What is measured. */
export interface PriceOptions {
  readonly members: number
  /** Rounds to time in each half of a pair, and the number of pairs. */
  readonly rounds: number
  readonly pairs: number
  readonly model: string
  readonly tell: (text: string) => void
}

/** A network without the defences and one with them, one after the other. */
export interface PricePair {
  /** Seconds a round. */
  readonly plainSeconds: number
  readonly defendedSeconds: number
  readonly ratio: number
  /** Mean number of runnable processes in the last minute: how busy the machine was otherwise. */
  readonly load: number
}

/** Neither clipping nor a veto; bounds and evidence are part of the protocol. */
const PLAIN = { clip: 'none', heldOutMargin: false } as const
/** The first rounds compile the graph and load the model. */
const WARM_ROUNDS = 1

/** Times rounds of real networks that train as `loam testnet` does, with a plain charter and with a new one, in turn. */
export async function runDefencePrice(options: PriceOptions): Promise<PricePair[]> {
  const found: PricePair[] = []
  for (let pair = 1; pair <= options.pairs; pair++) {
    // In turns, so that warm-up and other load affect both equally.
    const isPlainFirst = pair % 2 === 1
    const first = await secondsARound(options, isPlainFirst ? PLAIN : {})
    const second = await secondsARound(options, isPlainFirst ? {} : PLAIN)
    const [plainSeconds, defendedSeconds] = isPlainFirst ? [first, second] : [second, first]
    const ratio = defendedSeconds / plainSeconds
    found.push({ plainSeconds, defendedSeconds, ratio, load: loadavg()[0]! })
    options.tell(`pair ${pair} of ${options.pairs}: ${JSON.stringify(found.at(-1))}`)
  }
  return found
}

async function secondsARound(
  { members, rounds, model }: PriceOptions,
  terms: Pick<CharterTerms, 'clip' | 'heldOutMargin'>
): Promise<number> {
  const indices = Array.from({ length: members }, (_, index) => index)
  const network = await PeerNetwork.prepare(members, terms, model, false)
  try {
    await network.start(...indices)
    await network.untilSealed(WARM_ROUNDS, ...indices)
    const began = performance.now()
    await network.untilSealed(WARM_ROUNDS + rounds, ...indices)
    const seconds = (performance.now() - began) / 1_000
    if (!agree(network.watches)) throw new Error('members sealed different models')
    return seconds / rounds
  } finally {
    await network.end()
  }
}
