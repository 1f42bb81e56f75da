import { type LoraAdapter, type LoraPair, updateNorm } from '../../src/adapter/index.ts'
import { ATTACK_SCALE } from '../experiments/attacks.ts'

/**
 * What poisoners do; `none` is a run without any. `honest`: what every other member does, for comparison, since a member with
 * text of its own changes the others' losses whether or not it poisons.
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

/** A round of a poisoner's, as it sees it. */
export interface PoisonRound {
  readonly round: number
  /** Largest norm that the others endorse, by module; infinite where nobody looks. */
  readonly boundOf: (module: string) => number
  /** What the first poisoner trained: colluders all send the same. */
  readonly common: LoraAdapter
}

/** How near an adaptive poisoner comes to the bound: float32 factors round. */
const OF_BOUND = 0.999
/** Magnitude of factors that cancel: in float32, nothing beside it survives. */
const CANCELLING = 2 ** 40
/** An attack now and then is in the second round of five, when there are medians to adapt to. */
const PERIOD = 5

/** Whether a poisoner turns its labels round while it trains. */
export function flipsLabels(attack: PoisonAttack): boolean {
  return attack === 'label-flipped' || attack === 'targeted'
}

/** The adapter that a poisoner sends in place of the one it trained. */
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

/** The scale with which a pair is just within its bound, or that of a plain attack where there is no bound. */
function adaptedScale(pair: LoraPair, bound: number): number {
  const norm = updateNorm(pair)
  return Number.isFinite(bound) && norm > 0 ? (OF_BOUND * bound) / norm : ATTACK_SCALE
}

/** Two rows of A alike, two columns of B opposite: the product is exactly 0. */
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
