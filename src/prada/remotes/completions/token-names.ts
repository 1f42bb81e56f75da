import type { Vocabulary } from '../../core/index.ts'
import { RemoteError } from '../remote.ts'

/** How a server names a token: by id, by bytes or by text; what it does not tell is absent. */
export interface TokenName {
  readonly id?: number
  readonly bytes?: readonly number[]
  readonly text?: string
}

/** The ids of the proxy's vocabulary by the names that servers give them. */
export interface TokenNames {
  /**
   * The id of a token; undefined where its name fits none of the ids, or several.
   *
   * @throws {RemoteError} `refused`, when the server's id has other bytes than the proxy's
   */
  idOf(name: TokenName): number | undefined
  /** A text for ids; undefined where their bytes are no UTF-8. */
  textOf(ids: readonly number[]): string | undefined
}

/** vLLM's names with `return_tokens_as_token_ids`. */
const ID_NAME = /^token_id:(\d+)$/

/** Names by text are ambiguous where several ids may be shown alike: cut characters are shown as nothing, or as U+FFFD. */
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

/** Special tokens are often shown as nothing, and a text may lack a leading space: such names say little. */
function requireSame(
  id: number,
  own: Uint8Array | undefined,
  told: { bytes: readonly number[] | undefined; text: string | undefined } | undefined
): void {
  if (own === undefined || told === undefined) return
  const { bytes, text } = told
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
      `the proxy and the remote do not share a vocabulary: id ${id} is ${JSON.stringify(decoded)} for the proxy and ${JSON.stringify(text ?? Buffer.from(bytes!).toString())} for the remote`
    )
}
