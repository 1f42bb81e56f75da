import type { Log } from '../../../node/log/log.ts'
import { messageOf } from '../../../node/storage/peer-error.ts'
import { EXIT, printError, printProgress } from '../../terminal/output.ts'

/**
 * Resolves at the first signal to stop, or when the parent process is gone. A second signal ends the process at once,
 * as a crash would: everything signed is on disk.
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
    // A listener alone must not keep alive a process that failed to start.
    process.channel?.unref()
  })
}

/**
 * An unhandled rejection is logged, and the peer goes on: what others rely on is in the write-ahead log before it is
 * sent. After an uncaught exception the state is unknown: the process logs it and exits, and a supervisor restarts it.
 */
export function surviveStrayErrors(log: Log): void {
  process.on('unhandledRejection', (reason) => {
    log.error({ error: messageOf(reason), stack: stackOf(reason) }, 'unhandled rejection')
  })
  process.on('uncaughtException', (error) => {
    log.error({ error: messageOf(error), stack: stackOf(error) }, 'exiting after an uncaught exception')
    printError(error)
    process.exit(EXIT.failed)
  })
}

function stackOf(error: unknown): string | undefined {
  return error instanceof Error ? error.stack : undefined
}
