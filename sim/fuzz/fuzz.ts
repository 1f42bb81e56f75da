import { MalformedError } from '../../src/protocol/encoding/canonical-cbor.ts'
import { SeededRandom } from '../support/seeded-random.ts'
import { mangled } from './mangle.ts'
import type { Target } from './targets.ts'

/** The results of a decoder's inputs. */
export interface FuzzResult {
  readonly kind: string
  readonly inputs: number
  /** Inputs that were decoded nevertheless, and those refused with a `MalformedError`. */
  readonly read: number
  readonly refused: number
  /** Inputs, in hex, that caused any other exception, with the exception. */
  readonly thrown: readonly { input: string; error: string }[]
  /** Longest time for one input, milliseconds of CPU, within the clock's resolution. */
  readonly slowestMs: number
}

const THROWN_MAX = 10

/** Feeds a decoder with damaged and random bytes. */
export function fuzz(target: Target, inputs: number, seed: number): FuzzResult {
  const random = new SeededRandom(seed)
  const thrown: { input: string; error: string }[] = []
  let read = 0
  let refused = 0
  let slowest = 0
  for (let count = 0; count < inputs; count++) {
    const bytes = mangled(target.samples, random)
    const before = process.cpuUsage()
    try {
      target.read(bytes)
      read++
    } catch (error) {
      if (error instanceof MalformedError) refused++
      else if (thrown.length < THROWN_MAX)
        thrown.push({ input: Buffer.from(bytes).toString('hex'), error: String((error as Error).stack) })
    }
    const { user, system } = process.cpuUsage(before)
    slowest = Math.max(slowest, user + system)
  }
  return { kind: target.kind, inputs, read, refused, thrown, slowestMs: Math.round(slowest / 1000) }
}
