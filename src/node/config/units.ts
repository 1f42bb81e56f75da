import { z } from 'zod'

/** Seconds in a unit of time that people write. */
const SECONDS: Readonly<Record<string, number>> = { ms: 0.001, s: 1, m: 60, min: 60, h: 3600, d: 86_400 }
/** Bytes in a unit of size that people write. */
const BYTES: Readonly<Record<string, number>> = {
  B: 1,
  kB: 1e3,
  MB: 1e6,
  GB: 1e9,
  TB: 1e12,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
  TiB: 2 ** 40
}

/** What counts accept, for a setting's notes. */
export const POSITIVE_INTEGER = 'a positive integer'
export const NON_NEGATIVE_INTEGER = 'a non-negative integer'
export const POSITIVE_NUMBER = 'a positive number'
export const NON_NEGATIVE_NUMBER = 'a non-negative number'
export const SHARE = 'a number of at least 0 and below 1'
/** What {@link duration} accepts, for a setting's notes. */
export const ACCEPTS_DURATION = 'a time such as 90, "90 s", "15 min" or "1 h"'
/** What {@link byteSize} accepts, for a setting's notes. */
export const ACCEPTS_BYTES = 'a size such as 1048576, "512 KiB" or "20 MB"'

/** A duration, as a number of seconds or with its unit; the result is in seconds. */
export function duration({ min = 0, max = 10 * 365 * SECONDS.d! }: { min?: number; max?: number } = {}) {
  return quantity(SECONDS).pipe(z.number().min(min).max(max))
}

/** A size, as a number of bytes or with its unit; the result is whole bytes. */
export function byteSize({ min = 0, max = Number.MAX_SAFE_INTEGER }: { min?: number; max?: number } = {}) {
  return quantity(BYTES).pipe(z.number().min(min).max(max).transform(Math.round))
}

function quantity(units: Readonly<Record<string, number>>) {
  return z.union([z.number(), z.string()]).transform((value, context) => {
    if (typeof value === 'number') return value
    const [, number, unit = ''] = /^\s*(\d+(?:\.\d+)?)\s*([a-zA-Z]*)\s*$/.exec(value) ?? []
    const scale = unit === '' ? 1 : units[unit]
    if (number !== undefined && scale !== undefined) return Number(number) * scale
    context.addIssue({ code: 'custom', message: `needs one of the units ${Object.keys(units).join(', ')}` })
    return z.NEVER
  })
}
