import { InvalidArgumentError } from 'commander'

/** Reads a list of counts, with commas. */
export function positiveIntegers(text: string): number[] {
  return text.split(',').map((part) => {
    const value = Number(part)
    if (!Number.isInteger(value) || value < 1) throw new InvalidArgumentError('give whole numbers from 1 on')
    return value
  })
}
