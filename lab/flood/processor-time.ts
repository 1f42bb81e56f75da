import { readFileSync } from 'node:fs'

/** Clock ticks per second in /proc: the same on every Linux. */
const TICKS_PER_SECOND = 100
const KIB = 1024

/** Resources used so far by a process, without its children. Linux only. */
export interface Usage {
  /** Processor time, milliseconds. */
  readonly cpuMs: number
  /** Resident memory, bytes. */
  readonly memory: number
}

/** @throws {Error} when there is no such process, or no /proc */
export function usageOf(pid: number): Usage {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  // The second field is the program's name in brackets and may contain anything; user and system time are the 14th and
  // 15th.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const ticks = Number(fields[11]) + Number(fields[12])
  const [, resident] = /VmRSS:\s*(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? []
  return { cpuMs: (ticks * 1_000) / TICKS_PER_SECOND, memory: Number(resident) * KIB }
}
