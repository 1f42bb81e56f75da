import { InvalidArgumentError } from 'commander'

/** Parses a positive integer from the command line. */
export function positiveInteger(text: string): number {
  const value = Number(text)
  if (!Number.isSafeInteger(value) || value < 1) throw new InvalidArgumentError('must be a positive integer')
  return value
}

/** Parses a positive number from the command line. */
export function positiveNumber(text: string): number {
  const value = Number(text)
  if (!(value > 0 && Number.isFinite(value))) throw new InvalidArgumentError('must be a positive number')
  return value
}
