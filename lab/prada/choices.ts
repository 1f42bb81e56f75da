import { createSeededRandom } from '../../src/model/index.ts'
import type { TokenNats } from './quality.ts'

/** A prefix and several endings. The first ending is the text's own. */
export interface Choice {
  readonly context: readonly number[]
  readonly endings: readonly (readonly number[])[]
}

const ENDINGS = 4
const CONTEXT = 48
/** Number of tokens of an ending. */
export const ENDING = 12

/** Multiple-choice questions from held-out text: which of four passages of the same text follows a prefix? */
export function makeChoices(text: readonly number[], count: number, seed: number): Choice[] {
  const random = createSeededRandom(seed)
  const places = Math.floor(text.length / (CONTEXT + ENDING))
  if (places < ENDINGS) throw new Error(`a text of ${text.length} tokens is too short for a choice`)
  const at = (place: number): number => place * (CONTEXT + ENDING)
  const ending = (place: number): readonly number[] =>
    text.slice(at(place) + CONTEXT, at(place) + CONTEXT + ENDING)
  return Array.from({ length: Math.min(count, places) }, (_, place) => {
    const others = new Set<number>()
    while (others.size < ENDINGS - 1) {
      const other = Math.floor(random.uniform() * places)
      if (other !== place) others.add(other)
    }
    return {
      context: text.slice(at(place), at(place) + CONTEXT),
      endings: [place, ...others].map(ending)
    }
  })
}

/** Each ending after its prefix, in the order in which `accuracy` expects the scores. */
export function choiceTexts(choices: readonly Choice[]): number[][] {
  return choices.flatMap(({ context, endings }) => endings.map((ending) => [...context, ...ending]))
}

/** Share of the questions whose own ending is the most likely. */
export function accuracy(nats: TokenNats): number {
  const scores = nats.map((ending) => ending.reduce((sum, value) => sum + value, 0))
  let right = 0
  for (let first = 0; first < scores.length; first += ENDINGS)
    if (scores.slice(first + 1, first + ENDINGS).every((other) => scores[first]! > other)) right++
  return right / (scores.length / ENDINGS)
}
