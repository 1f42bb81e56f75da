import {
  decodeLogRecord,
  encodeLogRecord,
  type LogRecord,
  roundOfRecord,
  UNKNOWN_ROUND
} from '../../protocol/index.ts'
import { type OpenFile, openWriteAheadLog } from '../storage/index.ts'
import { messageOf, PeerError } from '../storage/peer-error.ts'

/** The protocol's log on disk: every signature before it leaves, and the cut that is valid. */
export interface MessageLog {
  /** What was there when the log was opened, oldest first. */
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
 * Opens the log at `path`; a torn tail is cut off, which loses only what was never sent.
 *
 * @param isLost whether there was a log that is gone: then this peer keeps silent until it knows how far the others are
 *   (rule 17 *Lost log*), and the log says so from its first record on
 * @param openFile see {@link openWriteAheadLog}
 * @throws {PeerError} for a log that is whole but holds what is no record
 */
export async function openMessageLog(path: string, isLost = false, openFile?: OpenFile): Promise<MessageLog> {
  const log = await openWriteAheadLog(path, openFile)
  try {
    if (isLost) await log.append(encodeLogRecord({ type: 'silent', through: UNKNOWN_ROUND }))
    return {
      records: log.records.map((bytes) => recordOf(bytes, path)),
      tornBytes: log.tornBytes,
      append: (record) => log.append(encodeLogRecord(record)),
      forgetBefore: (round) => log.retain((bytes) => roundOfRecord(decodeLogRecord(bytes)) >= round),
      close: () => log.close()
    }
  } catch (error) {
    await log.close()
    throw error
  }
}

function recordOf(bytes: Uint8Array, path: string): LogRecord {
  try {
    return decodeLogRecord(bytes)
  } catch (error) {
    throw new PeerError(
      `${path} holds a record that is none (${messageOf(error)}): move it away, and this peer keeps silent until it is safe to sign again`
    )
  }
}
