import type { TextTokenizer } from '../../../../src/data/index.ts'
import { createLocalSource } from '../../../../src/prada/endpoint/local-source.ts'
import type { MadeToken, TextEnd, TextSource } from '../../../../src/prada/endpoint/text-source.ts'
import { randomTable, tableModel } from '../table-model.ts'

/** Bytes of a text as ids, and one id more that begins and ends texts. */
const END_ID = 256
export const BYTE_TOKENS: readonly Uint8Array[] = [
  ...Array.from({ length: 256 }, (_, byte) => Uint8Array.of(byte)),
  new TextEncoder().encode('<end>')
]

export const byteTokenizer: TextTokenizer = {
  vocabularySize: BYTE_TOKENS.length,
  bosId: END_ID,
  eosId: END_ID,
  encode: (text) => [...Buffer.from(text)],
  decode: (ids) => Buffer.from(ids.filter((id) => id !== END_ID)).toString('utf8')
}

/** A source of bytes from a table. */
export function tinySource(options: { readonly context?: number; readonly chat?: boolean } = {}): TextSource {
  const { context = 200, chat = true } = options
  return createLocalSource(tableModel(randomTable(3, BYTE_TOKENS.length, 2), BYTE_TOKENS.length, context), {
    name: 'tiny',
    fingerprint: 'fp_tiny',
    tokenizer: byteTokenizer,
    tokens: BYTE_TOKENS,
    renderChat: chat
      ? (messages) => messages.map(({ role, content }) => `${role}:${content}\n`).join('')
      : undefined,
    stopIds: [END_ID]
  })
}

/** Predetermined tokens. */
export async function* given(
  ids: readonly number[],
  reason: TextEnd = 'length'
): AsyncGenerator<MadeToken, TextEnd> {
  for (const id of ids) yield { id, exact: true }
  return reason
}
