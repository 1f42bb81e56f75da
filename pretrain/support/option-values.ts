import { InvalidArgumentError } from 'commander'

/** Reads a command-line value that counts something. */
export function positiveInteger(text: string): number {
  const value = Number(text)
  if (!Number.isSafeInteger(value) || value < 1)
    throw new InvalidArgumentError('give a whole number from 1 on')
  return value
}

/** Reads a command-line value that measures something. */
export function positiveNumber(text: string): number {
  const value = Number(text)
  if (!(value > 0 && Number.isFinite(value))) throw new InvalidArgumentError('give a number above 0')
  return value
}
