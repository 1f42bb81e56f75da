import { type LoraAdapter, type LoraPair, updateNorm } from '../../src/adapter/index.ts'
import { ATTACK_SCALE } from '../experiments/attacks.ts'

/**
 * Attacks by poisoners; `none` is a run without poisoners. `honest` is no attack, for comparison: a member with text of its
 * own changes the losses of the others whether or not it poisons.
 */
export const POISON_ATTACKS = [
  'none',
  'honest',
  'scaled',
  'sign-flipped',
  'label-flipped',
  'cancelling',
  'targeted',
  'colluding',
  'adaptive',
  'one-in-five',
  'idle'
] as const
export type PoisonAttack = (typeof POISON_ATTACKS)[number]

/** What a poisoner knows about a round. */
export interface PoisonRound {
  readonly round: number
  /** Largest norm that the others endorse, by module; infinite if they do not check it. */
  readonly boundOf: (module: string) => number
  /** The first poisoner's trained adapter, which all colluders send. */
  readonly common: LoraAdapter
}

/** Fraction of the bound that an adaptive poisoner uses; leaves room for rounding in float32. */
const OF_BOUND = 0.999
/** Magnitude of cancelling factors: in float32 they absorb everything else. */
const CANCELLING = 2 ** 40
/**
 * Period in rounds of an occasional attack, which happens in the second of five, when there are medians to adapt to.
 */
const PERIOD = 5

/** Whether a poisoner trains with reversed labels. */
export function flipsLabels(attack: PoisonAttack): boolean {
  return attack === 'label-flipped' || attack === 'targeted'
}

/** The adapter that a poisoner sends instead of the one it trained. */
export function poison(trained: LoraAdapter, attack: PoisonAttack, round: PoisonRound): LoraAdapter {
  const map = (adapter: LoraAdapter, change: (pair: LoraPair) => LoraPair) => ({
    pairs: adapter.pairs.map(change)
  })
  const toBound = (pair: LoraPair) => scaleB(pair, -adaptedScale(pair, round.boundOf(pair.module)))
  switch (attack) {
    case 'scaled':
      return map(trained, (pair) => scaleB(pair, ATTACK_SCALE))
    case 'sign-flipped':
      return map(trained, (pair) => scaleB(pair, -1))
    case 'cancelling':
      return map(trained, cancelling)
    case 'idle':
      return map(trained, (pair) => scaleB(pair, 0))
    case 'colluding':
      return map(round.common, toBound)
    case 'adaptive':
      return map(trained, toBound)
    case 'one-in-five':
      return round.round % PERIOD === 2 ? map(trained, toBound) : trained
    default:
      return trained
  }
}

/** The scale that puts a pair just within its bound, or that of a plain attack if there is no bound. */
function adaptedScale(pair: LoraPair, bound: number): number {
  const norm = updateNorm(pair)
  return Number.isFinite(bound) && norm > 0 ? (OF_BOUND * bound) / norm : ATTACK_SCALE
}

/** Two equal rows of A and two opposite columns of B, whose product is exactly 0. */
function cancelling(pair: LoraPair): LoraPair {
  const { inFeatures, outFeatures } = pair
  return {
    ...pair,
    rank: 2,
    alpha: 2,
    A: new Float32Array(2 * inFeatures).fill(CANCELLING),
    B: Float32Array.from({ length: 2 * outFeatures }, (_, i) => (i % 2 === 0 ? 1 : -1))
  }
}

function scaleB(pair: LoraPair, factor: number): LoraPair {
  return { ...pair, B: pair.B.map((element) => element * factor) }
}
