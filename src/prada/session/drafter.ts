import { decide } from '../core/index.ts'
import { commonPrefix, type TextLogits } from '../models/index.ts'
import type { PositionScorings } from './positions.ts'

/** Drafts with one of the proxies, with the noise of the real draw: an equal distribution gives equal tokens. */
export interface Drafter {
  /**
   * The next `count` tokens as the proxy would have them. What was drafted before behind the same text is kept.
   *
   * @param signal ends the drafting between two tokens; there are fewer drafts then
   */
  draft(text: readonly number[], count: number, signal?: AbortSignal): Promise<readonly number[]>
}

/** @param size ids of the shared vocabulary */
export function createDrafter(logits: TextLogits, scorings: PositionScorings, size: number): Drafter {
  /** The last text with the drafts behind it. */
  let drafted: number[] = []
  return {
    async draft(text, count, signal) {
      const fits = commonPrefix(drafted, text) === text.length
      const sequence = fits ? drafted.slice(0, text.length + count) : [...text]
      while (sequence.length < text.length + count && signal?.aborted !== true) {
        const [row] = await logits.behind(sequence, sequence.length)
        sequence.push(decide(row!.subarray(0, size), scorings.ofDraft(sequence)))
      }
      if (!fits || sequence.length > drafted.length) drafted = sequence
      return sequence.slice(text.length)
    }
  }
}
