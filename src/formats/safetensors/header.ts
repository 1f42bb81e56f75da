import { compareStrings } from '../compare-strings.ts'
import { FormatError } from '../format-error.ts'

/** Thrown for a safetensors file that is damaged, hostile or unsupported. */
export class SafetensorsError extends FormatError {
  override readonly name: string = 'SafetensorsError'
}

/** Bytes of one element by safetensors dtype. */
export const DTYPE_BYTES: ReadonlyMap<string, number> = new Map([
  ['BOOL', 1],
  ['U8', 1],
  ['I8', 1],
  ['F8_E4M3', 1],
  ['F8_E5M2', 1],
  ['U16', 2],
  ['I16', 2],
  ['F16', 2],
  ['BF16', 2],
  ['U32', 4],
  ['I32', 4],
  ['F32', 4],
  ['U64', 8],
  ['I64', 8],
  ['F64', 8]
])

/** Location of a tensor in a safetensors file. */
export interface SafetensorsEntry {
  readonly name: string
  readonly dtype: string
  readonly shape: readonly number[]
  /** Offset of the first byte and of the byte after the last, from the start of the file. */
  readonly begin: number
  readonly end: number
}

/** The header of a safetensors file. */
export interface SafetensorsHeader {
  /** In the order of their data. */
  readonly entries: readonly SafetensorsEntry[]
  readonly metadata: Readonly<Record<string, string>>
}

/** Bytes of the little-endian length in front of the header. */
export const LENGTH_BYTES = 8
/** Default for the longest accepted header: room for over 100,000 tensors. */
export const HEADER_BYTES_MAX = 16 * 1024 * 1024
/** Header key with free-form strings instead of a tensor. */
export const METADATA_KEY = '__metadata__'

const TENSOR_KEYS = ['data_offsets', 'dtype', 'shape']

/**
 * Reads and checks the header of a safetensors file: every tensor is inside the file, and there are no overlaps, gaps,
 * trailing bytes or repeated keys.
 *
 * @param bytes the file, or at least its beginning up to the end of the header
 * @param fileLength length of the whole file, if `bytes` is only its beginning
 * @throws {SafetensorsError} saying what is wrong
 */
export function parseSafetensorsHeader(
  bytes: Uint8Array,
  maxHeaderBytes = HEADER_BYTES_MAX,
  fileLength = bytes.length
): SafetensorsHeader {
  if (bytes.length < LENGTH_BYTES)
    throw new SafetensorsError(
      `${bytes.length} bytes are too few for a safetensors file: download the file again`
    )
  const headerLength = new DataView(bytes.buffer, bytes.byteOffset, LENGTH_BYTES).getBigUint64(0, true)
  if (headerLength > BigInt(maxHeaderBytes)) {
    throw new SafetensorsError(`the header claims ${headerLength} bytes; at most ${maxHeaderBytes} are read`)
  }
  const dataStart = LENGTH_BYTES + Number(headerLength)
  if (dataStart > bytes.length)
    throw new SafetensorsError(`the header of ${headerLength} bytes is truncated: download the file again`)

  const header = parseJsonObject(bytes.subarray(LENGTH_BYTES, dataStart))
  let metadata: Record<string, string> = {}
  const entries: SafetensorsEntry[] = []
  for (const [name, value] of Object.entries(header)) {
    if (name === METADATA_KEY) metadata = checkMetadata(value)
    else entries.push(checkEntry(name, value, dataStart, fileLength))
  }
  // Empty tensors share their offset with a neighbour, hence the second and third sort key.
  entries.sort((a, b) => a.begin - b.begin || a.end - b.end || compareStrings(a.name, b.name))
  let position = dataStart
  for (const { name, begin, end } of entries) {
    if (begin < position) throw new SafetensorsError(`tensor ${quote(name)} overlaps the one before it`)
    if (begin > position)
      throw new SafetensorsError(`${begin - position} bytes before ${quote(name)} belong to no tensor`)
    position = end
  }
  if (position !== fileLength) {
    throw new SafetensorsError(`${fileLength - position} bytes at the end belong to no tensor`)
  }
  return { entries, metadata }
}

function parseJsonObject(bytes: Uint8Array): Record<string, unknown> {
  let text: string
  let value: unknown
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
    value = JSON.parse(text)
  } catch (error) {
    throw new SafetensorsError(`the header is not JSON in UTF-8: ${(error as Error).message.slice(0, 200)}`)
  }
  if (!isObject(value)) throw new SafetensorsError('the header is not a JSON object')
  refuseDuplicateKeys(text)
  return value
}

/**
 * JSON.parse silently keeps the last of two equal keys, so two readers could see different files. Scans text that is
 * known to be valid JSON, in which a string followed by a colon is a key.
 */
function refuseDuplicateKeys(json: string): void {
  const open: Set<string>[] = []
  for (let i = 0; i < json.length; i++) {
    const character = json[i]
    if (character === '{') open.push(new Set())
    else if (character === '}') open.pop()
    if (character !== '"') continue
    const start = i
    for (i++; json[i] !== '"'; i++) if (json[i] === '\\') i++
    let next = i + 1
    while (' \t\r\n'.includes(json[next] ?? '"')) next++
    if (json[next] !== ':') continue
    const key: string = JSON.parse(json.slice(start, i + 1))
    const keys = open.at(-1)
    if (keys?.has(key)) throw new SafetensorsError(`the key ${quote(key)} is repeated in the header`)
    keys?.add(key)
  }
}

function checkMetadata(value: unknown): Record<string, string> {
  if (!isObject(value)) throw new SafetensorsError(`${METADATA_KEY} is not a JSON object`)
  // No prototype: a key named `__proto__` stays a plain entry.
  const metadata: Record<string, string> = Object.create(null)
  for (const [key, text] of Object.entries(value)) {
    if (typeof text !== 'string')
      throw new SafetensorsError(`${METADATA_KEY} entry ${quote(key)} is not a string`)
    metadata[key] = text
  }
  return metadata
}

function checkEntry(name: string, value: unknown, dataStart: number, fileLength: number): SafetensorsEntry {
  if (!isObject(value)) throw new SafetensorsError(`tensor ${quote(name)} is not described by a JSON object`)
  const keys = Object.keys(value).sort(compareStrings)
  if (keys.length !== TENSOR_KEYS.length || keys.some((key, i) => key !== TENSOR_KEYS[i])) {
    throw new SafetensorsError(`tensor ${quote(name)} must have exactly the keys ${TENSOR_KEYS.join(', ')}`)
  }
  const { dtype, shape, data_offsets: offsets } = value
  const elementBytes = typeof dtype === 'string' ? DTYPE_BYTES.get(dtype) : undefined
  if (typeof dtype !== 'string' || elementBytes === undefined) {
    throw new SafetensorsError(`tensor ${quote(name)} has the unknown dtype ${quote(dtype)}`)
  }
  if (!isSizeArray(shape)) throw new SafetensorsError(`tensor ${quote(name)} has an invalid shape`)
  if (!isSizeArray(offsets) || offsets.length !== 2)
    throw new SafetensorsError(`tensor ${quote(name)} has invalid data_offsets`)
  const begin = dataStart + offsets[0]!
  const end = dataStart + offsets[1]!
  if (begin <= end && end > fileLength)
    throw new SafetensorsError(
      `tensor ${quote(name)} is outside the file, which is truncated at ${fileLength} bytes: download it again`
    )
  if (begin > end) throw new SafetensorsError(`tensor ${quote(name)} is outside the file`)
  let length = elementBytes
  for (const extent of shape) {
    length *= extent
    if (!Number.isSafeInteger(length))
      throw new SafetensorsError(`tensor ${quote(name)} has a shape that is too large`)
  }
  if (length !== end - begin) {
    throw new SafetensorsError(
      `tensor ${quote(name)} has ${end - begin} bytes, but its shape needs ${length}`
    )
  }
  return { name, dtype, shape, begin, end }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isSizeArray(value: unknown): value is number[] {
  // -0 is not a valid size: its JSON form would not round-trip.
  return Array.isArray(value) && value.every((n) => Number.isSafeInteger(n) && n >= 0 && !Object.is(n, -0))
}

/** An untrusted name, made short and printable for an error message. */
function quote(value: unknown): string {
  return JSON.stringify(typeof value === 'string' ? value.slice(0, 80) : typeof value)
}
