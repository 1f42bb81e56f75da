import { readFileSync } from 'node:fs'

/**
 * Peak resident memory of this process, in bytes. Reads Linux's own counter if available: getrusage also counts what
 * the parent held before it started this process.
 */
export function peakMemoryBytes(): number {
  try {
    const [, kilobytes] = /^VmHWM:\s+(\d+) kB/m.exec(readFileSync('/proc/self/status', 'utf8')) ?? []
    if (kilobytes) return Number(kilobytes) * 1024
  } catch {
    // No /proc on this platform.
  }
  return process.resourceUsage().maxRSS * 1024
}

/** {@link peakMemoryBytes} in MiB. */
export function peakMemoryMb(): number {
  return peakMemoryBytes() / 2 ** 20
}
