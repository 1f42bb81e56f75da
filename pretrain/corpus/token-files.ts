/** Token sequences: one per document, its beginning-of-sequence id included. */
export type TokenSequences = readonly (readonly number[])[]

/**
 * Concatenates token sequences as little-endian unsigned 16-bit numbers; each begins with the beginning-of-sequence id,
 * which occurs nowhere else, so that a reader finds the boundaries.
 *
 * @throws {RangeError} if a sequence does not begin with `bosId`, contains it elsewhere, or contains an id above
 * 65535
 */
export function encodeTokens(sequences: TokenSequences, bosId: number): Uint8Array {
  const bytes = new Uint8Array(2 * sequences.reduce((sum, { length }) => sum + length, 0))
  const view = new DataView(bytes.buffer)
  let offset = 0
  for (const sequence of sequences) {
    sequence.forEach((id, index) => {
      if ((id === bosId) !== (index === 0))
        throw new RangeError(
          `token ${index} of a document is ${id}: ${bosId} must be at its start and only there`
        )
      if (!(id >= 0 && id <= 0xffff)) throw new RangeError(`token id ${id} does not fit in 16 bits`)
      view.setUint16(offset, id, true)
      offset += 2
    })
  }
  return bytes
}
