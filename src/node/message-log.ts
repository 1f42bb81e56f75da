import { decode } from '@ipld/dag-cbor'
import { decodeEnvelope, encodeCanonical, type LogRecord } from '../protocol/index.ts'
import { openWriteAheadLog } from './store/index.ts'

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

/** Opens the log at `path`; a torn tail is cut off, which loses only what was never sent. */
export async function openMessageLog(path: string): Promise<MessageLog> {
  const log = await openWriteAheadLog(path)
  return {
    records: log.records.map((bytes) => decode(bytes) as LogRecord),
    tornBytes: log.tornBytes,
    append: (record) => log.append(encodeCanonical(record)),
    forgetBefore: (round) => log.retain((bytes) => roundOf(decode(bytes) as LogRecord) >= round),
    close: () => log.close()
  }
}

function roundOf(record: LogRecord): number {
  return record.type === 'valid' ? record.round : decodeEnvelope(record.envelope).header.round
}
