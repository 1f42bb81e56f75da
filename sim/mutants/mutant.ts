import type { Invariant } from '../invariants/watch.ts'

/**
 * One rule, broken on purpose: a change to the source of one file of the protocol. Neither peers nor the simulator know
 * of it.
 */
export interface Mutant {
  /** Where the specification (`docs/spec`) states what is broken: the number and name of a rule, or a section. */
  readonly rule: string
  /** What the change breaks, in words. */
  readonly says: string
  /** Below `src/protocol/`. */
  readonly file: string
  /** Text that occurs exactly once in the file. */
  readonly find: string
  readonly replace: string
  /** The invariant that its situation violates, and the first seed that shows it. */
  readonly invariant: Invariant
  readonly seed: number
}

/**
 * Applies a mutant to its source.
 *
 * @throws {Error} when the text to be replaced does not occur exactly once: the mutant no longer matches the source
 */
export function applyMutant(name: string, { file, find, replace }: Mutant, source: string): string {
  const parts = source.split(find)
  if (parts.length !== 2)
    throw new Error(
      `mutant ${name} no longer applies: src/protocol/${file} must contain the text that it replaces exactly once, ` +
        `found ${parts.length - 1} times:\n${find}`
    )
  return parts.join(replace)
}
