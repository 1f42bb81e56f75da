import { decide } from '../core/index.ts'
import { commonPrefix, type TextLogits } from '../models/index.ts'
import type { PositionScorings } from './positions.ts'

/**
 * Drafts with one of the proxy's models, using the noise of the actual draw, so that equal distributions give equal
 * tokens.
 */
export interface Drafter {
  /**
   * The next `count` tokens according to the proxy. Earlier drafts after the same text are reused.
   *
   * @param signal stops drafting between two tokens, which leaves fewer drafts
   */
  draft(text: readonly number[], count: number, signal?: AbortSignal): Promise<readonly number[]>
}

/** @param size size of the shared vocabulary */
export function createDrafter(logits: TextLogits, scorings: PositionScorings, size: number): Drafter {
  /** The last text followed by its drafts. */
  let drafted: number[] = []
  return {
    async draft(text, count, signal) {
      const fits = commonPrefix(drafted, text) === text.length
      const sequence = fits ? drafted.slice(0, text.length + count) : [...text]
      while (sequence.length < text.length + count && signal?.aborted !== true) {
        const [row] = await logits.rowsAfter(sequence, sequence.length)
        sequence.push(decide(row!.subarray(0, size), scorings.ofDraft(sequence)))
      }
      if (!fits || sequence.length > drafted.length) drafted = sequence
      return sequence.slice(text.length)
    }
  }
}
