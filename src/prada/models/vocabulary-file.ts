import { z } from 'zod'
import { type Vocabulary, VocabularyError } from '../core/index.ts'

const tokenizerSchema = z.looseObject({
  model: z.looseObject({
    type: z.string().nullish(),
    vocab: z.union([z.record(z.string(), z.int().nonnegative()), z.array(z.tuple([z.string(), z.number()]))]),
    byte_fallback: z.boolean().nullish()
  }),
  added_tokens: z.array(z.looseObject({ id: z.int().nonnegative(), content: z.string() })).nullish(),
  pre_tokenizer: z.unknown().optional(),
  decoder: z.unknown().optional()
})

/** SentencePiece's sign for a space. */
const SPACE_SIGN = '\u2581'
const BYTE_TOKEN = /^<0x([0-9A-F]{2})>$/

/**
 * The bytes that each id of a tokenizer.json stands for.
 *
 * @throws {VocabularyError} if the file is malformed or a token is not valid in its encoding
 */
export function readVocabulary(
  tokenizerJson: unknown,
  { bosId, eosId }: { readonly bosId: number | undefined; readonly eosId?: number | undefined }
): Vocabulary {
  const parsed = tokenizerSchema.safeParse(tokenizerJson)
  if (!parsed.success) throw new VocabularyError(`tokenizer.json: ${z.prettifyError(parsed.error)}`)
  const { model, added_tokens, pre_tokenizer, decoder } = parsed.data
  const byteLevel = /"ByteLevel"/.test(JSON.stringify([pre_tokenizer, decoder]))
  const tokens: (Uint8Array | undefined)[] = []
  const entries = Array.isArray(model.vocab)
    ? model.vocab.map(([text], id): [string, number] => [text, id])
    : Object.entries(model.vocab)
  const added = new Map((added_tokens ?? []).map(({ id, content }) => [id, content]))
  for (const [text, id] of entries)
    if (!added.has(id))
      tokens[id] = byteLevel ? byteLevelBytes(text, id) : pieceBytes(text, model.byte_fallback === true)
  for (const [id, content] of added) tokens[id] = new TextEncoder().encode(content)
  const type = `${model.type ?? 'unknown'}${byteLevel ? ', byte level' : ''}`
  return { type, bosId, eosId, tokens: Array.from(tokens) }
}

/** Bytes of a SentencePiece token. */
export function pieceBytes(text: string, byteFallback: boolean): Uint8Array {
  const byte = byteFallback ? BYTE_TOKEN.exec(text) : null
  if (byte !== null) return Uint8Array.of(Number.parseInt(byte[1]!, 16))
  return new TextEncoder().encode(text.replaceAll(SPACE_SIGN, ' '))
}

/**
 * Bytes of a byte-level BPE token.
 *
 * @throws {VocabularyError} if it has a character outside the byte-level alphabet
 */
export function byteLevelBytes(text: string, id: number): Uint8Array {
  return Uint8Array.from([...text], (character) => {
    const byte = BYTES_BY_CHARACTER.get(character)
    if (byte === undefined)
      throw new VocabularyError(`token ${id}, ${text}, has characters outside the byte-level alphabet`)
    return byte
  })
}

/** GPT-2's alphabet: printable bytes of Latin-1 stand for themselves, the others map to the characters from U+0100. */
const BYTES_BY_CHARACTER: ReadonlyMap<string, number> = new Map(
  (() => {
    const printable = (byte: number): boolean =>
      (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae
    let other = 0x100
    return Array.from({ length: 256 }, (_, byte): [string, number] => [
      String.fromCodePoint(printable(byte) ? byte : other++),
      byte
    ])
  })()
)
