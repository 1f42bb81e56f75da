import { readFileSync } from 'node:fs'

/**
 * Most memory that this process has held resident, in MB. Linux's own mark is read where there is one: getrusage also
 * counts what the parent held before it started this process.
 */
export function peakMemoryMb(): number {
  try {
    const [, kilobytes] = /^VmHWM:\s+(\d+) kB/m.exec(readFileSync('/proc/self/status', 'utf8')) ?? []
    if (kilobytes) return Number(kilobytes) / 1024
  } catch {
    // No /proc on this platform.
  }
  return process.resourceUsage().maxRSS / 1024
}
