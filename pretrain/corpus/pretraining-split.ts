import { seededShuffle, type TextDocument } from '../../src/data/index.ts'

/** Seed of the pretraining split: constant, since runs can only be compared on the same held-out text. */
const SPLIT_SEED = 20_021_851
/** Held out: whole speeches and mails until they have this many characters, about 80,000 tokens. */
const HELD_OUT_CHARACTERS = 300_000

/**
 * Splits the pretraining text by whole speech and whole mail: unlike the sections that a long speech is cut into, two
 * sources do not continue each other.
 */
export function splitPretraining(documents: readonly TextDocument[]): {
  readonly train: readonly TextDocument[]
  readonly heldOut: readonly TextDocument[]
} {
  const sizes = new Map<string, number>()
  for (const { id, text } of documents) sizes.set(sourceOf(id), (sizes.get(sourceOf(id)) ?? 0) + text.length)
  const held = new Set<string>()
  let characters = 0
  for (const [source, size] of seededShuffle([...sizes], SPLIT_SEED)) {
    // A source that would overshoot by much (one address has 200,000 characters) stays in training.
    if (characters + size > HELD_OUT_CHARACTERS * 1.02) continue
    held.add(source)
    characters += size
    if (characters >= HELD_OUT_CHARACTERS) break
  }
  return {
    train: documents.filter(({ id }) => !held.has(sourceOf(id))),
    heldOut: documents.filter(({ id }) => held.has(sourceOf(id)))
  }
}

/** The speech or mail to which a document belongs. */
function sourceOf(id: string): string {
  return id.startsWith('state-of-the-union/') ? id.slice(0, id.lastIndexOf('/')) : id
}
