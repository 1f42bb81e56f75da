import type { Log } from '../../../node/log/log.ts'
import { messageOf } from '../../../node/storage/peer-error.ts'
import { EXIT, printError, printProgress } from '../../terminal/output.ts'

/**
 * Resolves at the first signal to stop, or when the process that started this one is gone. The second signal ends the
 * process at once, as a crash would: all that was signed is on the disk.
 */
export function stopSignal(): Promise<void> {
  return new Promise((resolve) => {
    let asked = false
    const onSignal = () => {
      if (asked) {
        printProgress('ended at once; nothing that was signed is lost')
        process.exit(EXIT.failed)
      }
      asked = true
      resolve()
    }
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, onSignal)
    process.once('disconnect', () => resolve())
    // Listening alone must not keep a process alive that could not start.
    process.channel?.unref()
  })
}

/**
 * A rejection that nobody waits for is logged, and the peer goes on: what others rely on is in the log before it is sent.
 * After an exception that nobody caught the state is unknown: the process says so and ends, and a supervisor restarts it.
 */
export function surviveStrayErrors(log: Log): void {
  process.on('unhandledRejection', (reason) => {
    log.error({ error: messageOf(reason), stack: stackOf(reason) }, 'a rejection was not handled')
  })
  process.on('uncaughtException', (error) => {
    log.error(
      { error: messageOf(error), stack: stackOf(error) },
      'the process ends: an exception was not caught'
    )
    printError(error)
    process.exit(EXIT.failed)
  })
}

function stackOf(error: unknown): string | undefined {
  return error instanceof Error ? error.stack : undefined
}
