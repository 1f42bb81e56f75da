import type { Charter } from '../../protocol/index.ts'
import type { RoundSummary } from '../home/peer-report.ts'
import { peerIdText } from '../storage/peer-id-text.ts'
import type { DriverComponents } from './components.ts'

/** Share of the median below which a member should know how little its data count. */
const LOW = 1 / 4

/** A count of training data that is small beside the others'. */
export interface LowWeight {
  readonly count: number
  readonly median: number
  /** What is counted. */
  readonly unit: 'tokens' | 'documents'
}

/**
 * Whether a member's update counts for little in a sealed cut, by rule 9: its count is below a quarter of the cut's lower
 * median. Never where the charter fixes the weights.
 */
export function lowWeight(
  { cut }: Pick<RoundSummary, 'cut'>,
  peerId: string,
  { weights }: Pick<Charter, 'weights'>
): LowWeight | undefined {
  const own = cut.find((entry) => entry.peerId === peerId)
  if (own === undefined || weights === 'uniform' || Array.isArray(weights)) return undefined
  const counts = cut.map(({ samples }) => samples).sort((a, b) => a - b)
  const median = counts[Math.floor((counts.length - 1) / 2)]!
  if (own.samples >= LOW * median) return undefined
  return { count: own.samples, median, unit: weights === 'documents' ? 'documents' : 'tokens' }
}

/** Warns a peer whose data count for little: once, and again after a round in which they did not. */
export class WeightNotice {
  readonly #components: Pick<DriverComponents, 'identity' | 'log'>
  #isLow = false

  constructor(components: Pick<DriverComponents, 'identity' | 'log'>) {
    this.#components = components
  }

  note(sealed: RoundSummary, charter: Pick<Charter, 'weights'>): void {
    const { identity, log } = this.#components
    const low = lowWeight(sealed, peerIdText(identity.signer.peer), charter)
    if (low !== undefined && !this.#isLow)
      log.warn(
        { round: sealed.round, ...low },
        'this peer has less than a quarter of the training data of the median member, and its update counts as little: add data, or agree on other weights (loam consortium create --weights)'
      )
    this.#isLow = low !== undefined
  }
}
