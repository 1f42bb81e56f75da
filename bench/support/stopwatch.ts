/**
 * Measures milliseconds from now on: processor time of this process if one thread works, which other programs do not
 * affect; otherwise wall-clock time.
 */
export function stopwatch(threads: number): () => number {
  if (threads > 1) {
    const begin = performance.now()
    return () => performance.now() - begin
  }
  const begin = process.cpuUsage()
  return () => {
    const { user, system } = process.cpuUsage(begin)
    return (user + system) / 1000
  }
}
