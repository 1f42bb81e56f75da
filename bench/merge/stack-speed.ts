import { type StackMember, stackAdapters } from '../../src/adapter/index.ts'
import { stackKernel } from '../../src/adapter/kernel/stack-kernel.ts'
import { median } from '../support/median.ts'
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
/** As in a round: larger than any cache. */
const ROUND_MODULES = 16
const ROUND_REPEATS = 60
const FRESH_REPEATS = 20
/** Both factors in and out are within the last cache, and the repeats are enough for V8 to have compiled for good. */
const CACHED_REPEATS = 300

/** The members' factors for one module, and previously written memory for the result. */
interface Module {
  readonly A: readonly Float32Array[]
  readonly B: readonly Float32Array[]
  readonly stackedA: Float32Array
  readonly stackedB: Float32Array
}

/** Ten members of the paper's ranks on modules [4096, 4096], more than the caches hold, into memory in use. */
export function stackSpeed(): StackSpeed {
  return kernelSpeed(Array.from({ length: ROUND_MODULES }, moduleOfRound), ROUND_REPEATS)
}

/** The same for one module over and over, all of it in the processor's caches. */
export function cachedStackSpeed(): StackSpeed {
  return kernelSpeed([moduleOfRound()], CACHED_REPEATS)
}

/**
 * A whole `stackAdapters` of as many modules, whose outcome is fresh memory; the copy takes as much of it, in the same
 * sizes from the same allocator. Most of either time is the system's cost for the first use of a page. Run with
 * --expose-gc.
 */
export function freshStackSpeed(): StackSpeed {
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
  const stack = () => stackAdapters(members)
  return compare(ROUND_MODULES * MODULE_BYTES, FRESH_REPEATS, stack, copy, globalThis.gc)
}

function kernelSpeed(modules: readonly Module[], repeats: number): StackSpeed {
  const kernel = stackKernel()
  const stack = () => {
    for (const { A, B, stackedA, stackedB } of modules) {
      let begin = 0
      for (const part of A) {
        kernel.scale(part, stackedA.subarray(begin, begin + part.length), Math.fround(0.3))
        begin += part.length
      }
      kernel.join(B, FEATURES, stackedB)
    }
  }
  const copy = () => {
    for (const { A, B, stackedA, stackedB } of modules) {
      copyInto(A, stackedA)
      copyInto(B, stackedB)
    }
  }
  return compare(modules.length * MODULE_BYTES, repeats, stack, copy)
}

function moduleOfRound(): Module {
  return { ...factorsOf(), stackedA: unwritten().fill(0), stackedB: unwritten().fill(0) }
}

function factorsOf(): Pick<Module, 'A' | 'B'> {
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

/** Medians of both, in turns, since the machine's speed varies. */
function compare(
  bytes: number,
  repeats: number,
  stack: () => unknown,
  copy: () => unknown,
  between: () => void = () => undefined
): StackSpeed {
  const copySeconds: number[] = []
  const stackSeconds: number[] = []
  for (let repeat = 0; repeat < repeats; repeat++) {
    copySeconds.push(secondsOf(copy))
    between()
    stackSeconds.push(secondsOf(stack))
    between()
  }
  const speed = (seconds: readonly number[]) => bytes / median(seconds) / 1e9
  const rounded = (value: number) => Number(value.toPrecision(4))
  return {
    GBps: rounded(speed(stackSeconds)),
    memcpyGBps: rounded(speed(copySeconds)),
    ratio: rounded(speed(stackSeconds) / speed(copySeconds))
  }
}

function secondsOf(work: () => unknown): number {
  const elapsed = stopwatch(1)
  work()
  return elapsed() / 1000
}
