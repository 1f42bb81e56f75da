import { gunzipSync, inflateSync } from 'node:zlib'

/** Type codes of R's serialisation (R Internals, section 1.8) that a data set of texts uses. */
const CHARACTER_STRING = 9
const CHARACTER_VECTOR = 16
const INTEGER_VECTOR = 13
const NOT_AVAILABLE = -1
/** Format mark "X\n" and three version numbers. */
const HEADER_BYTES = 14

/**
 * The character vectors of an R package's lazy-load database, one per data set, by name.
 *
 * @param index content of `Rdata.rdx`, gzip: names, and each one's offset and length in the database
 * @param database content of `Rdata.rdb`: big-endian lengths and zlib streams
 * @throws {Error} if a data set is not a character vector
 */
export function readRLazyData(index: Uint8Array, database: Uint8Array): Map<string, string[]> {
  const places = readPlaces(gunzipSync(index))
  const result = new Map<string, string[]>()
  for (const [name, { offset, length }] of places) {
    // The first four bytes are the length of the inflated stream.
    const serialised = inflateSync(database.subarray(offset + 4, offset + length))
    const reader = new Reader(serialised)
    reader.skipHeader()
    if (reader.type() !== CHARACTER_VECTOR)
      throw new Error(`the R data set ${name} is not a vector of character strings`)
    result.set(name, reader.strings())
  }
  return result
}

/** `variables`, the index's first element: a list of integer pairs, then its names as an attribute. */
function readPlaces(index: Buffer): Map<string, { readonly offset: number; readonly length: number }> {
  const reader = new Reader(index)
  reader.skipHeader()
  reader.type()
  reader.integer()
  reader.type()
  const pairs = Array.from({ length: reader.integer() }, () => {
    if (reader.type() !== INTEGER_VECTOR || reader.integer() !== 2)
      throw new Error('the R index contains something other than positions of data sets')
    return { offset: reader.integer(), length: reader.integer() }
  })
  // A pairlist cell whose tag is the symbol "names", newly defined here.
  reader.type()
  reader.type()
  reader.string()
  reader.type()
  const names = reader.strings()
  return new Map(names.map((name, place) => [name, pairs[place]!]))
}

/** Reads XDR serialisation sequentially. */
class Reader {
  readonly #bytes: Buffer
  #offset = 0

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  skipHeader(): void {
    const version = this.#bytes.readInt32BE(2)
    this.#offset = HEADER_BYTES
    // Version 3 names the native encoding.
    if (version >= 3) {
      const length = this.integer()
      this.#offset += length
    }
  }

  integer(): number {
    const value = this.#bytes.readInt32BE(this.#offset)
    this.#offset += 4
    return value
  }

  /** Type code of the next item, without its flags. */
  type(): number {
    return this.integer() & 0xff
  }

  /** A character string; NA is read as empty. */
  string(): string {
    if (this.type() !== CHARACTER_STRING) throw new Error('expected a character string in the R data')
    const length = this.integer()
    if (length === NOT_AVAILABLE) return ''
    const text = this.#bytes.toString('utf8', this.#offset, this.#offset + length)
    this.#offset += length
    return text
  }

  strings(): string[] {
    return Array.from({ length: this.integer() }, () => this.string())
  }
}
