import { commonPrefix } from '../text-logits.ts'
import type { TokenText } from '../token-model.ts'
import type { LlamaSequence } from './node-llama-cpp.ts'

/** A sequence of llama.cpp's cache and its contents. */
interface Slot {
  readonly sequence: LlamaSequence
  held: readonly number[]
  owner: object | undefined
  usedAt: number
}

/**
 * Texts on a bounded number of sequences. A text whose sequence was taken over by another recomputes its tokens when it
 * continues. Runs one pass at a time.
 *
 * @param size logits of a row
 * @param context maximum text length, tokens
 */
export function createSequencePool(
  sequences: readonly LlamaSequence[],
  size: number,
  context: number
): { readonly start: () => TokenText } {
  const slots = sequences.map((sequence): Slot => ({ sequence, held: [], owner: undefined, usedAt: 0 }))
  let uses = 0
  let last: Promise<unknown> = Promise.resolve()

  const slotOf = (owner: object): Slot => {
    const own = slots.find((slot) => slot.owner === owner)
    const slot = own ?? slots.reduce((oldest, other) => (other.usedAt < oldest.usedAt ? other : oldest))
    slot.owner = owner
    slot.usedAt = ++uses
    return slot
  }
  const compute = async (owner: object, ids: readonly number[], count: number): Promise<Float32Array[]> => {
    const slot = slotOf(owner)
    // The logits after a token are available only from the pass that computes it.
    const kept = Math.min(commonPrefix(slot.held, ids), ids.length - count)
    if (kept < slot.held.length) {
      await slot.sequence.eraseContextTokenRanges([{ start: kept, end: slot.held.length }])
      slot.held = slot.held.slice(0, kept)
    }
    const input = ids
      .slice(kept)
      .map((id, index) =>
        kept + index < ids.length - count ? id : ([id, { generateNext: { logits: true } }] as const)
      )
    // The cache contents after a failed pass are unknown.
    slot.held = []
    let outcomes: Awaited<ReturnType<LlamaSequence['controlledEvaluate']>>
    try {
      outcomes = await slot.sequence.controlledEvaluate(input)
    } catch (error) {
      await slot.sequence.clearHistory()
      throw error
    }
    slot.held = [...ids]
    return outcomes.slice(outcomes.length - count).map((outcome) => rowOf(outcome?.next.logits, size))
  }

  return {
    start() {
      const owner = {}
      let ids: number[] = []
      return {
        get length() {
          return ids.length
        },
        async appendRows(added, count) {
          const wanted = [...ids, ...added]
          // llama.cpp would silently drop the beginning.
          if (wanted.length > context)
            throw new RangeError(`a text must have at most ${context} tokens, got ${wanted.length}`)
          const pass = last.then(() => compute(owner, wanted, count))
          last = pass.catch(() => undefined)
          const rows = await pass
          ids = wanted
          return rows
        },
        truncate(length) {
          ids.length = length
        }
      }
    }
  }
}

function rowOf(logits: ReadonlyMap<number, number> | undefined, size: number): Float32Array {
  if (logits?.size !== size)
    throw new Error(`llama.cpp returned ${logits?.size ?? 0} logits, expected ${size}`)
  const row = new Float32Array(size).fill(Number.NaN)
  for (const [id, logit] of logits) row[id] = logit
  return row
}
