import { createHash } from 'node:crypto'
import { type FileHandle, open, readFile } from 'node:fs/promises'
import { writeFileAtomic } from './atomic-file.ts'
import { errorCode, StoreError, storeError } from './store-error.ts'

/**
 * File: magic, then frames. Frame: length u32, check of the length u32, check of the payload u32 (all little-endian),
 * payload. A check is the first four bytes of a SHA-256. The length has its own check because a wrong length would hide
 * every later record, which would look like a torn tail.
 */
/** Contents of an empty log. */
export const EMPTY_LOG = 'LOAMWAL1'
const MAGIC = Buffer.from(EMPTY_LOG)
const FRAME_HEADER_BYTES = 12

/** Maximum length of a record. */
export const RECORD_BYTES_MAX = 16 * 1024 * 1024

/** Opens a file as `open` of node:fs does. */
export type OpenFile = (path: string, flags: string) => Promise<FileHandle>

/** An append-only file of byte records that survives a crash at any moment. */
export interface WriteAheadLog {
  /** The records now in the log, oldest first. */
  readonly records: readonly Uint8Array[]
  /** Bytes of an unfinished last append that were truncated when the log was opened. */
  readonly tornBytes: number
  /**
   * Appends a record; resolves when it is durable. Calls may overlap: records are written in call order.
   *
   * @throws {StoreError} for an empty or too long record, or a failing write; the log is then unchanged
   */
  append(record: Uint8Array): Promise<void>
  /**
   * Replaces all records at once: after a crash the log holds either the old ones or these. Earlier appends are
   * completed first, and replaced too: prefer {@link retain} if appends may be pending.
   */
  rewrite(records: readonly Uint8Array[]): Promise<void>
  /** Drops the records for which `keep` is false, evaluated after all earlier appends. Atomic like {@link rewrite}. */
  retain(keep: (record: Uint8Array) => boolean): Promise<void>
  /** Waits for pending operations and closes the file. */
  close(): Promise<void>
}

/**
 * Opens the log at `path`, or creates an empty one. The unfinished tail of an append interrupted by a crash is
 * truncated: that append never resolved, so nothing depends on it.
 *
 * @param openFile opens the file for appending; tests of a full disk pass one that refuses writes
 * @throws {StoreError} when the file is not a log, or is damaged before its tail
 */
export async function openWriteAheadLog(path: string, openFile: OpenFile = open): Promise<WriteAheadLog> {
  let bytes: Buffer
  try {
    bytes = await readFile(path)
  } catch (error) {
    if (errorCode(error) !== 'ENOENT') throw storeError(`cannot read the log ${path}`, error)
    await writeFileAtomic(path, MAGIC)
    bytes = MAGIC
  }
  const { records, end } = parseLog(bytes, path)
  const log = new FileLog(path, openFile, records, end, bytes.length - end)
  await log.open()
  return log
}

/**
 * The records of the log at `path`, without opening it for appending: the file stays unchanged.
 *
 * @throws {StoreError} when the file is not a log, or is damaged before its tail
 */
export async function readWriteAheadLog(path: string): Promise<Pick<WriteAheadLog, 'records' | 'tornBytes'>> {
  const bytes = await readFile(path)
  const { records, end } = parseLog(bytes, path)
  return { records, tornBytes: bytes.length - end }
}

class FileLog implements WriteAheadLog {
  readonly #path: string
  readonly tornBytes: number
  #records: Uint8Array[]
  /** Length of the file up to the last whole record. */
  #end: number
  #file: FileHandle | undefined
  /** Set when the file's state is unknown; only reopening it can tell. */
  #broken: StoreError | undefined
  #queue: Promise<unknown> = Promise.resolve()

  readonly #openFile: OpenFile

  constructor(path: string, openFile: OpenFile, records: Uint8Array[], end: number, tornBytes: number) {
    this.#path = path
    this.#openFile = openFile
    this.#records = records
    this.#end = end
    this.tornBytes = tornBytes
  }

  get records(): readonly Uint8Array[] {
    return this.#records
  }

  async open(): Promise<void> {
    try {
      this.#file = await this.#openFile(this.#path, 'r+')
      if (this.tornBytes > 0) {
        await this.#file.truncate(this.#end)
        await this.#file.sync()
      }
    } catch (error) {
      await this.#file?.close()
      throw storeError(`cannot open the log ${this.#path}`, error)
    }
  }

  append(record: Uint8Array): Promise<void> {
    // Copied now: the caller may change the bytes while the record waits.
    const copy = record.slice()
    return this.#inTurn(async (file) => {
      const frame = frameOf(copy)
      try {
        let written = 0
        while (written < frame.length) {
          written += (await file.write(frame, written, frame.length - written, this.#end + written))
            .bytesWritten
        }
        await file.datasync()
      } catch (error) {
        await this.#undo(file)
        throw storeError(`cannot append to the log ${this.#path}`, error)
      }
      this.#end += frame.length
      this.#records.push(copy)
    })
  }

  rewrite(records: readonly Uint8Array[]): Promise<void> {
    const copies = records.map((record) => record.slice())
    return this.#inTurn((file) => this.#replace(file, copies))
  }

  retain(keep: (record: Uint8Array) => boolean): Promise<void> {
    return this.#inTurn((file) => this.#replace(file, this.#records.filter(keep)))
  }

  async close(): Promise<void> {
    await this.#queue
    await this.#file?.close()
    this.#file = undefined
  }

  /** Runs operations one after another. */
  #inTurn(work: (file: FileHandle) => Promise<void>): Promise<void> {
    const turn = this.#queue.then(async () => {
      if (this.#broken !== undefined) throw this.#broken
      if (this.#file === undefined) throw new StoreError(`the log ${this.#path} is closed`)
      await work(this.#file)
    })
    this.#queue = turn.catch(() => undefined)
    return turn
  }

  async #replace(file: FileHandle, records: Uint8Array[]): Promise<void> {
    const chunks = [MAGIC, ...records.map(frameOf)]
    await writeFileAtomic(this.#path, chunks)
    // The old handle still points to the replaced file.
    await file.close()
    this.#file = undefined
    try {
      this.#file = await this.#openFile(this.#path, 'r+')
    } catch (error) {
      this.#broken = storeError(`cannot open the log ${this.#path} again`, error)
      throw this.#broken
    }
    this.#records = records
    this.#end = chunks.reduce((length, chunk) => length + chunk.length, 0)
  }

  /** Rolls a failed append back, so that the next one does not follow half a frame. */
  async #undo(file: FileHandle): Promise<void> {
    try {
      await file.truncate(this.#end)
      await file.datasync()
    } catch (error) {
      this.#broken = storeError(`the log ${this.#path} is in an unknown state; restart the peer`, error)
    }
  }
}

function frameOf(payload: Uint8Array): Buffer {
  if (payload.length === 0 || payload.length > RECORD_BYTES_MAX) {
    throw new StoreError(`a record of ${payload.length} bytes is not logged; 1 to ${RECORD_BYTES_MAX} are`)
  }
  const frame = Buffer.alloc(FRAME_HEADER_BYTES + payload.length)
  frame.writeUInt32LE(payload.length, 0)
  frame.writeUInt32LE(check(frame.subarray(0, 4)), 4)
  frame.writeUInt32LE(check(payload), 8)
  frame.set(payload, FRAME_HEADER_BYTES)
  return frame
}

/** The complete records of a log and the offset of their end; the torn tail follows. */
function parseLog(bytes: Buffer, path: string): { records: Uint8Array[]; end: number } {
  if (!bytes.subarray(0, MAGIC.length).equals(MAGIC))
    throw new StoreError(
      `${path} is not a log of this version of Loam: restore it from a backup of the disk; without it this peer cannot know what it has signed`
    )
  const records: Uint8Array[] = []
  let end = MAGIC.length
  while (bytes.length - end >= FRAME_HEADER_BYTES) {
    const length = bytes.readUInt32LE(end)
    if (bytes.readUInt32LE(end + 4) !== check(bytes.subarray(end, end + 4))) {
      // A power cut may leave zeros at the end: the file's length was written, its contents were not.
      if (bytes.subarray(end).every((byte) => byte === 0)) break
      throw damaged(path, end)
    }
    const begin = end + FRAME_HEADER_BYTES
    if (length > bytes.length - begin) break
    const payload = bytes.subarray(begin, begin + length)
    if (bytes.readUInt32LE(end + 8) !== check(payload)) {
      if (begin + length === bytes.length) break
      throw damaged(path, end)
    }
    records.push(Uint8Array.from(payload))
    end = begin + length
  }
  return { records, end }
}

function damaged(path: string, offset: number): StoreError {
  return new StoreError(
    `the log ${path} is damaged at byte ${offset}, before further records: this peer cannot know what it has signed. ` +
      'Restore the file from a backup of the disk; do not delete it while the peer is a member'
  )
}

function check(bytes: Uint8Array): number {
  return createHash('sha256').update(bytes).digest().readUInt32LE(0)
}
