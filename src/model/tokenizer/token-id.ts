/**
 * Refuses an id without a row in the embedding table.
 *
 * @throws {Error} naming the id
 */
export function checkTokenId(id: number, { vocabularySize }: { readonly vocabularySize: number }): void {
  if (Number.isInteger(id) && id >= 0 && id < vocabularySize) return
  throw new Error(`token id ${id} is outside the vocabulary of ${vocabularySize}`)
}
