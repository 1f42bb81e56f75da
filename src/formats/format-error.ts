/** A file, or a piece of one, that is not what its format says. */
export class FormatError extends Error {
  override readonly name: string = 'FormatError'
}
