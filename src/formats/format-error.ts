/** Thrown for a file, or part of one, that violates its format. */
export class FormatError extends Error {
  override readonly name: string = 'FormatError'
}
