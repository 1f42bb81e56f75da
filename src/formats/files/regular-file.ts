import { type Stats, statSync } from 'node:fs'
import { FormatError } from '../format-error.ts'

/**
 * Refuses anything but a regular file before it is opened: a FIFO may block forever, and a device has no end. Links are
 * followed. A missing path is accepted: opening it reports the error.
 *
 * @throws {FormatError} naming the path and what it is
 */
export function requireRegularFile(path: string): void {
  const stats = statSync(path, { throwIfNoEntry: false })
  if (stats === undefined || stats.isFile()) return
  throw new FormatError(`${path} is ${kindOf(stats)}, not a regular file: put the file itself there`)
}

function kindOf(stats: Stats): string {
  if (stats.isDirectory()) return 'a folder'
  if (stats.isFIFO()) return 'a FIFO'
  if (stats.isSocket()) return 'a socket'
  return 'a device'
}
