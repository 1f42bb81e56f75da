import {
  decodeLogRecord,
  encodeLogRecord,
  type LogRecord,
  roundOfRecord,
  UNKNOWN_ROUND
} from '../../protocol/index.ts'
import { type OpenFile, openWriteAheadLog } from '../storage/index.ts'
import { messageOf, PeerError } from '../storage/peer-error.ts'

/** The protocol's log on disk: every signature before it is sent, and the valid cut. */
export interface MessageLog {
  /** The records found when the log was opened, oldest first. */
  readonly records: readonly LogRecord[]
  /** Bytes of an unfinished last append that were cut off when the log was opened. */
  readonly tornBytes: number
  /** Resolves when the record is durable. */
  append(record: LogRecord): Promise<void>
  /** Drops the records of all rounds before `round`: their seals are kept elsewhere. */
  forgetBefore(round: number): Promise<void>
  close(): Promise<void>
}

/**
 * Opens the log at `path`; a torn tail is truncated, which loses only what was never sent.
 *
 * @param isLost whether an earlier log was lost: then this peer stays silent until it knows how far the others are
 * (rule 17 *Lost log*), and the new log's first record says so
 * @param openFile see {@link openWriteAheadLog}
 * @throws {PeerError} for an intact log with an invalid record
 */
export async function openMessageLog(path: string, isLost = false, openFile?: OpenFile): Promise<MessageLog> {
  const log = await openWriteAheadLog(path, openFile)
  try {
    if (isLost) await log.append(encodeLogRecord({ type: 'silent', through: UNKNOWN_ROUND }))
    const records = log.records.map((bytes) => recordOf(bytes, path))
    // A silence whose end became known is over with it: the record that began it counts no more.
    let silentThrough = lastSilence(records)
    return {
      records,
      tornBytes: log.tornBytes,
      async append(record) {
        await log.append(encodeLogRecord(record))
        if (record.type === 'silent') silentThrough = record.through
      },
      forgetBefore: (round) =>
        log.retain((bytes) => {
          const record = decodeLogRecord(bytes)
          if (record.type === 'silent' && record.through !== silentThrough) return false
          return roundOfRecord(record) >= round
        }),
      close: () => log.close()
    }
  } catch (error) {
    await log.close()
    throw error
  }
}

function lastSilence(records: readonly LogRecord[]): number | undefined {
  return records.findLast((record) => record.type === 'silent')?.through
}

function recordOf(bytes: Uint8Array, path: string): LogRecord {
  try {
    return decodeLogRecord(bytes)
  } catch (error) {
    throw new PeerError(
      `${path} contains an invalid record (${messageOf(error)}): move the file away, and this peer stays silent until it is safe to sign again`
    )
  }
}
