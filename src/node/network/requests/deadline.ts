import { setMaxListeners } from 'node:events'
import { NetworkError } from './network-error.ts'

/**
 * Runs `work` with a signal that aborts after `timeoutMs`, or when `parent` does, whichever is first. Rejects at that
 * moment even if `work` ignores its signal. Unlike AbortSignal.any it leaves no listener behind on a parent that lives
 * as long as the process.
 *
 * @param doing the operation, for the message: `fetching 4 blocks from 12D3…`
 * @throws {NetworkError} `timeout` or `aborted`, or what `work` throws
 */
export async function withDeadline<T>(
  doing: string,
  timeoutMs: number,
  parent: AbortSignal | undefined,
  work: (signal: AbortSignal) => Promise<T>
): Promise<T> {
  const controller = new AbortController()
  const aborted = () =>
    controller.abort(new NetworkError('aborted', `${doing}: aborted`, { cause: parent?.reason }))
  if (parent?.aborted) aborted()
  controller.signal.throwIfAborted()
  let interrupt: () => void = () => undefined
  const interrupted = new Promise<never>((_resolve, reject) => {
    interrupt = () => reject(controller.signal.reason)
  })
  controller.signal.addEventListener('abort', interrupt, { once: true })
  if (parent !== undefined) {
    // One listener for each pending exchange, each removed below: Node's leak warning would be wrong.
    setMaxListeners(0, parent)
    parent.addEventListener('abort', aborted, { once: true })
  }
  const timer = setTimeout(() => {
    controller.abort(new NetworkError('timeout', `${doing}: no answer within ${timeoutMs} ms`))
  }, timeoutMs)
  try {
    return await Promise.race([work(controller.signal), interrupted])
  } finally {
    clearTimeout(timer)
    parent?.removeEventListener('abort', aborted)
    controller.signal.removeEventListener('abort', interrupt)
  }
}
