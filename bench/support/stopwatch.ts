/**
 * Milliseconds that go by from here on: of this process's processor time where one thread works, which other programs on
 * the machine do not stretch; else of the clock on the wall.
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
