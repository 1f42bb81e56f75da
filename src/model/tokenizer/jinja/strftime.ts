const MONTHS = [
  'January',
  'February',
  'March',
  'April',
  'May',
  'June',
  'July',
  'August',
  'September',
  'October',
  'November',
  'December'
]
const DAYS = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday']
const DAY_MS = 86_400_000

const two = (value: number): string => String(value).padStart(2, '0')

const CODES: Readonly<Record<string, (date: Date) => string>> = {
  '%': () => '%',
  a: (date) => DAYS[date.getUTCDay()]!.slice(0, 3),
  A: (date) => DAYS[date.getUTCDay()]!,
  b: (date) => MONTHS[date.getUTCMonth()]!.slice(0, 3),
  B: (date) => MONTHS[date.getUTCMonth()]!,
  d: (date) => two(date.getUTCDate()),
  e: (date) => String(date.getUTCDate()).padStart(2, ' '),
  m: (date) => two(date.getUTCMonth() + 1),
  y: (date) => two(date.getUTCFullYear() % 100),
  Y: (date) => String(date.getUTCFullYear()),
  H: (date) => two(date.getUTCHours()),
  I: (date) => two(date.getUTCHours() % 12 || 12),
  M: (date) => two(date.getUTCMinutes()),
  S: (date) => two(date.getUTCSeconds()),
  p: (date) => (date.getUTCHours() < 12 ? 'AM' : 'PM'),
  j: (date) =>
    String(1 + Math.floor((date.getTime() - Date.UTC(date.getUTCFullYear(), 0, 1)) / DAY_MS)).padStart(
      3,
      '0'
    ),
  w: (date) => String(date.getUTCDay()),
  Z: () => 'UTC',
  z: () => '+0000',
  F: (date) => strftime(date, '%Y-%m-%d'),
  T: (date) => strftime(date, '%H:%M:%S'),
  D: (date) => strftime(date, '%m/%d/%y')
}

/**
 * A date as Python's `strftime` writes it, in UTC and in English on every machine. `%-d` and the like leave out leading
 * zeros, as on Linux.
 *
 * @throws {Error} for an unknown code
 */
export function strftime(date: Date, format: string): string {
  return format.replace(/%(-?)([\s\S]?)/g, (whole, bare: string, code: string) => {
    const write = CODES[code]
    if (write === undefined) throw new Error(`unknown date format ${whole}`)
    return bare === '' ? write(date) : write(date).replace(/^0+(?=\d)/, '')
  })
}
