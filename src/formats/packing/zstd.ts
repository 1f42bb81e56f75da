import { FormatError } from '../format-error.ts'

type Library = typeof import('@bokuweb/zstd-wasm')

/** The library, which can be initialised only once per process. */
let library: Promise<Library> | undefined

/** Loads the zstd library, which needs some megabytes. */
export function loadZstd(): Promise<Library> {
  library ??= import('@bokuweb/zstd-wasm').then(async (zstd) => {
    await zstd.init()
    return zstd
  })
  return library
}

const FRAME_MAGIC = 0xfd2fb528
/** Skippable frames have sixteen magic numbers, which differ in their last four bits. */
const SKIPPABLE_MAGIC = 0x184d2a50
const BLOCK_BYTES_MAX = 128 * 1024
/** Longest content of one frame: the library decompresses a frame as a whole. */
const CONTENT_BYTES_MAX = 512 * 1024 * 1024

/** The header of a frame (RFC 8878, 3.1.1.1). */
export interface ZstdFrameHeader {
  /** Length of the header, bytes. */
  readonly length: number
  /** Length of the decompressed content, bytes; undefined if the header does not state it. */
  readonly contentLength: number | undefined
  readonly hasChecksum: boolean
  readonly dictionaryId: number
}

/** Reads the header of the frame at the start of `frame`; undefined if it is missing or incomplete. */
export function zstdFrameHeader(frame: Uint8Array): ZstdFrameHeader | undefined {
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength)
  if (frame.length < 5 || view.getUint32(0, true) !== FRAME_MAGIC) return undefined
  const descriptor = frame[4]!
  const isSingleSegment = (descriptor & 0x20) !== 0
  const dictionaryBytes = [0, 1, 2, 4][descriptor & 3]!
  const dictionaryAt = 5 + (isSingleSegment ? 0 : 1)
  const at = dictionaryAt + dictionaryBytes
  const bytes = [isSingleSegment ? 1 : 0, 2, 4, 8][descriptor >> 6]!
  if (frame.length < at + bytes) return undefined
  return {
    length: at + bytes,
    contentLength: contentLength(view, at, bytes),
    hasChecksum: (descriptor & 0x04) !== 0,
    dictionaryId: frame.subarray(dictionaryAt, at).reduceRight((id, byte) => id * 256 + byte, 0)
  }
}

function contentLength(view: DataView, at: number, bytes: number): number | undefined {
  if (bytes === 0) return undefined
  if (bytes === 1) return view.getUint8(at)
  if (bytes === 2) return view.getUint16(at, true) + 256
  if (bytes === 4) return view.getUint32(at, true)
  return Number(view.getBigUint64(at, true))
}

/**
 * Decompresses zstd frame by frame. A frame's checksum is verified, if it has one.
 *
 * @param library the result of `loadZstd`
 * @param name the file's, for the error
 * @throws {FormatError} naming the file, when it is truncated or damaged, or one frame is longer than 512 MiB
 */
export function* unpackZstd(
  { decompress }: Library,
  bytes: Uint8Array,
  name: string
): Generator<Uint8Array, void, undefined> {
  let rest = bytes
  while (rest.length > 0) {
    const { length, contentBytes } = measureFrame(rest, name)
    const frame = rest.subarray(0, length)
    rest = rest.subarray(length)
    if (contentBytes === 0) continue
    try {
      yield decompress(frame, { defaultHeapSize: contentBytes })
    } catch {
      throw new FormatError(`${name} is damaged: a zstd frame cannot be decompressed; download it again`)
    }
  }
}

/**
 * The length of the first frame, found by its blocks' headers, and an upper bound of its content's, both in bytes: the
 * library allocates what it is told, or what the frame claims.
 */
function measureFrame(bytes: Uint8Array, name: string): { length: number; contentBytes: number } {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const cutOff = new FormatError(`${name} is truncated: download it again`)
  if (bytes.length < 8) throw cutOff
  if ((view.getUint32(0, true) & 0xfffffff0) >>> 0 === SKIPPABLE_MAGIC) {
    const length = 8 + view.getUint32(4, true)
    if (length > bytes.length) throw cutOff
    return { length, contentBytes: 0 }
  }
  const header = zstdFrameHeader(bytes)
  if (header === undefined) throw new FormatError(`${name} is not a zstd file`)
  if (header.dictionaryId !== 0)
    throw new FormatError(
      `${name} is compressed with a zstd dictionary, which is not supported: decompress it`
    )
  let at = header.length
  let bound = 0
  for (let isLast = false; !isLast; ) {
    if (at + 3 > bytes.length) throw cutOff
    const block = view.getUint16(at, true) | (view.getUint8(at + 2) << 16)
    isLast = (block & 1) === 1
    const type = (block >> 1) & 3
    const size = block >> 3
    at += 3 + (type === 1 ? 1 : size)
    bound += type === 2 ? BLOCK_BYTES_MAX : size
  }
  if (header.hasChecksum) at += 4
  if (at > bytes.length) throw cutOff
  const claimed = header.contentLength
  if (claimed !== undefined && claimed > bound)
    throw new FormatError(`${name} is damaged: a zstd frame claims more than it holds; download it again`)
  const contentBytes = claimed ?? bound
  if (contentBytes > CONTENT_BYTES_MAX)
    throw new FormatError(`${name} has more than 512 MiB in one zstd frame: decompress it (zstd -d)`)
  return { length: at, contentBytes }
}
