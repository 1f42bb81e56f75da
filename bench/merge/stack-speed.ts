import { type StackMember, stackAdapters } from '../../src/adapter/index.ts'
import { stackKernel } from '../../src/adapter/kernel/stack-kernel.ts'
import { stopwatch } from '../support/stopwatch.ts'

/** How fast members' factors are stacked, beside a plain copy of the same factors into memory of the same kind. */
export interface StackSpeed {
  readonly GBps: number
  readonly memcpyGBps: number
  readonly ratio: number
}

const FEATURES = 4096
export const RANKS = [64, 32, 16, 16, 8, 8, 4, 4, 4, 4]
const RANK = RANKS.reduce((sum, rank) => sum + rank, 0)
const MODULE_BYTES = 8 * FEATURES * RANK
/** As of a round: more than any cache holds. */
const ROUND_MODULES = 16
const ROUND_REPEATS = 20
/** Both factors in and out are within the last cache, and the repeats are enough for V8 to have compiled for good. */
const CACHED_REPEATS = 300

/** A module's factors, by members. */
interface Factors {
  readonly A: readonly Float32Array[]
  readonly B: readonly Float32Array[]
}

/**
 * Stacks ten members of the paper's ranks on modules [4096, 4096] as a round does: what is written is fresh memory, on
 * both sides from the same allocator in the same sizes, given back between. Best of several, each beside a copy. Run
 * with --expose-gc.
 */
export function stackSpeed(): StackSpeed {
  const names = Array.from({ length: ROUND_MODULES }, (_, i) => `model.layers.${i}.self_attn.q_proj`)
  const factors = names.map(factorsOf)
  const members: StackMember[] = RANKS.map((rank, k) => ({
    author: Uint8Array.of(k),
    samples: 1,
    adapter: {
      pairs: names.map((module, m) => ({
        module,
        rank,
        alpha: 2 * rank,
        inFeatures: FEATURES,
        outFeatures: FEATURES,
        A: factors[m]!.A[k]!,
        B: factors[m]!.B[k]!
      }))
    }
  }))
  const copy = () => factors.flatMap(({ A, B }) => [copyInto(A, unwritten()), copyInto(B, unwritten())])
  return compare(
    ROUND_MODULES * MODULE_BYTES,
    ROUND_REPEATS,
    () => stackAdapters(members),
    copy,
    globalThis.gc
  )
}

/** The same for one module over and over into the same memory, all of it in the processor's caches: the kernel alone. */
export function cachedStackSpeed(): StackSpeed {
  const { A, B } = factorsOf()
  const [stackedA, stackedB] = [unwritten(), unwritten()]
  const kernel = stackKernel()
  const stack = () => {
    let begin = 0
    for (const part of A) {
      kernel.scale(part, stackedA.subarray(begin, begin + part.length), Math.fround(0.3))
      begin += part.length
    }
    kernel.join(B, FEATURES, stackedB)
  }
  const copy = () => [copyInto(A, stackedA), copyInto(B, stackedB)]
  return compare(MODULE_BYTES, CACHED_REPEATS, stack, copy)
}

function factorsOf(): Factors {
  const make = () => RANKS.map((rank, k) => new Float32Array(rank * FEATURES).fill(0.25 + k))
  return { A: make(), B: make() }
}

/** Memory for one stacked factor, as `stackAdapters` takes it. */
function unwritten(): Float32Array {
  const length = RANK * FEATURES
  return new Float32Array(Buffer.allocUnsafeSlow(4 * length).buffer, 0, length)
}

function copyInto(parts: readonly Float32Array[], target: Float32Array): Float32Array {
  let begin = 0
  for (const part of parts) {
    target.set(part, begin)
    begin += part.length
  }
  return target
}

function compare(
  bytes: number,
  repeats: number,
  stack: () => unknown,
  copy: () => unknown,
  between: () => void = () => undefined
): StackSpeed {
  let [stackSeconds, copySeconds] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY]
  for (let repeat = 0; repeat < repeats; repeat++) {
    copySeconds = Math.min(copySeconds, secondsOf(copy))
    between()
    stackSeconds = Math.min(stackSeconds, secondsOf(stack))
    between()
  }
  const rounded = (value: number) => Number(value.toPrecision(4))
  return {
    GBps: rounded(bytes / stackSeconds / 1e9),
    memcpyGBps: rounded(bytes / copySeconds / 1e9),
    ratio: rounded(copySeconds / stackSeconds)
  }
}

function secondsOf(work: () => unknown): number {
  const elapsed = stopwatch(1)
  work()
  return elapsed() / 1000
}
