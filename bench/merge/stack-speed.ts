import { type StackMember, stackAdapters } from '../../src/adapter/index.ts'
import { stopwatch } from '../support/stopwatch.ts'

/** How fast members' factors are stacked, beside a plain copy of the same factors into memory as fresh. */
export interface StackSpeed {
  readonly GBps: number
  readonly memcpyGBps: number
  readonly ratio: number
}

const FEATURES = 4096
export const RANKS = [64, 32, 16, 16, 8, 8, 4, 4, 4, 4]
const MODULES = ['model.layers.0.self_attn.q_proj', 'model.layers.0.self_attn.v_proj']
const REPEATS = 9

/** Stacks ten members of the paper's ranks on two modules [4096, 4096]; best of several, each beside a copy. */
export function stackSpeed(): StackSpeed {
  const members: StackMember[] = RANKS.map((rank, k) => ({
    author: Uint8Array.of(k),
    samples: 1,
    adapter: {
      pairs: MODULES.map((module) => ({
        module,
        rank,
        alpha: 2 * rank,
        inFeatures: FEATURES,
        outFeatures: FEATURES,
        A: new Float32Array(rank * FEATURES).fill(0.25 + k),
        B: new Float32Array(rank * FEATURES).fill(0.5 + k)
      }))
    }
  }))
  const factors = members.flatMap(({ adapter }) => adapter.pairs.flatMap(({ A, B }) => [A, B]))
  const bytes = factors.reduce((sum, { byteLength }) => sum + byteLength, 0)
  let [stack, copy] = [0, 0]
  for (let repeat = 0; repeat < REPEATS; repeat++) {
    copy = Math.max(copy, bytes / secondsOf(() => factors.map((factor) => factor.slice())))
    stack = Math.max(stack, bytes / secondsOf(() => stackAdapters(members)))
  }
  return { GBps: stack / 1e9, memcpyGBps: copy / 1e9, ratio: stack / copy }
}

function secondsOf(work: () => unknown): number {
  const elapsed = stopwatch(1)
  work()
  return elapsed() / 1000
}
