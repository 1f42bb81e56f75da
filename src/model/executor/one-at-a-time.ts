/**
 * Wraps `work` so that its calls wait for each other, for work that reuses buffers. A failed call does not stop the
 * next.
 */
export function oneAtATime<Options, Result>(
  work: (options: Options) => Promise<Result>
): (options: Options) => Promise<Result> {
  let previous: Promise<unknown> = Promise.resolve()
  return (options) => {
    const result = previous.then(() => work(options))
    previous = result.catch(() => undefined)
    return result
  }
}
