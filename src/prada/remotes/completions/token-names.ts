import type { Vocabulary } from '../../core/index.ts'
import { RemoteError } from '../remote.ts'

/** How a server names a token: by id, bytes or text; each is absent if not reported. */
export interface TokenName {
  readonly id?: number
  readonly bytes?: readonly number[]
  readonly text?: string
}

/** Maps the names that servers give to tokens to ids of the proxy's vocabulary. */
export interface TokenNames {
  /**
   * The id of a token; undefined if its name matches no id or several.
   *
   * @throws {RemoteError} `refused` if the server's id stands for different bytes than the proxy's
   */
  idOf(name: TokenName): number | undefined
  /** The text of ids; undefined if their bytes are not valid UTF-8. */
  textOf(ids: readonly number[]): string | undefined
}

/** Token names of vLLM with `return_tokens_as_token_ids`. */
const ID_NAME = /^token_id:(\d+)$/

/** Text names are ambiguous if several ids may have the same one: partial characters appear as nothing or as U+FFFD. */
export function createTokenNames({ tokens }: Vocabulary): TokenNames {
  const byBytes = new Map<string, number | undefined>()
  const byText = new Map<string, number | undefined>()
  const note = (map: Map<string, number | undefined>, key: string, id: number): void =>
    void map.set(key, map.has(key) && map.get(key) !== id ? undefined : id)
  for (const [id, bytes] of tokens.entries()) {
    if (bytes === undefined) continue
    note(byBytes, keyOf(bytes), id)
    const shown = new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes)
    note(byText, shown, id)
    note(byText, shown.replaceAll('\uFFFD', ''), id)
  }
  return {
    idOf({ id, bytes, text }) {
      const numbered = id ?? (ID_NAME.test(text ?? '') ? Number(ID_NAME.exec(text!)![1]) : undefined)
      if (numbered !== undefined) {
        requireSame(numbered, tokens[numbered], id === undefined ? undefined : { bytes, text })
        return numbered
      }
      if (bytes !== undefined && bytes.length > 0) return byBytes.get(keyOf(Uint8Array.from(bytes)))
      return text === undefined || text === '' ? undefined : byText.get(text)
    },
    textOf(ids) {
      const bytes = Buffer.concat(ids.map((id) => tokens[id] ?? new Uint8Array(0)))
      try {
        return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
      } catch {
        return undefined
      }
    }
  }
}

function keyOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('latin1')
}

/** Special tokens often appear as nothing, and a text may lack its leading space, so such names are not conclusive. */
function requireSame(
  id: number,
  own: Uint8Array | undefined,
  reported: { bytes: readonly number[] | undefined; text: string | undefined } | undefined
): void {
  if (own === undefined || reported === undefined) return
  const { bytes, text } = reported
  const decoded = new TextDecoder().decode(own)
  const differs =
    bytes !== undefined
      ? bytes.length > 0 && keyOf(Uint8Array.from(bytes)) !== keyOf(own)
      : text !== undefined &&
        text !== '' &&
        !text.includes('\uFFFD') &&
        !decoded.includes('\uFFFD') &&
        text.trim() !== decoded.trim()
  if (differs)
    throw new RemoteError(
      'refused',
      `the proxy and the remote have different vocabularies: id ${id} is ${JSON.stringify(decoded)} for the proxy and ${JSON.stringify(text ?? Buffer.from(bytes!).toString())} for the remote`
    )
}
