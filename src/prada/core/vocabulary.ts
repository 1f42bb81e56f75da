/** How a tokenizer's ids map to bytes. Two models must share it for their logits to be added. */
export interface Vocabulary {
  /** Kind of tokenizer: `BPE`, `Unigram`, … */
  readonly type: string
  readonly bosId: number | undefined
  readonly eosId: number | undefined
  /** Bytes of each id's text; undefined for an id without a token. */
  readonly tokens: readonly (Uint8Array | undefined)[]
}

/** Two models assign different ids to their tokens. */
export class VocabularyError extends Error {
  override readonly name = 'VocabularyError'
}

/**
 * Checks that every id of the proxy stands for the same bytes in the remote, and that both use the same BOS and EOS. A
 * remote may have more ids (padding, added tokens); they are excluded from the combined distribution.
 *
 * @throws {VocabularyError} naming the first difference
 */
export function requireSameVocabulary(proxy: Vocabulary, remote: Vocabulary): void {
  const difference = firstDifference(proxy, remote)
  if (difference !== undefined)
    throw new VocabularyError(
      `the proxy and the remote have different vocabularies: ${difference}. Adding their logits requires identical ids`
    )
}

function firstDifference(proxy: Vocabulary, remote: Vocabulary): string | undefined {
  if (proxy.type !== remote.type) return `the proxy's tokenizer is ${proxy.type}, the remote's ${remote.type}`
  const ends = [
    ['BOS', proxy.bosId, remote.bosId],
    ['EOS', proxy.eosId, remote.eosId]
  ] as const
  for (const [name, own, other] of ends)
    if (own !== other)
      return `${name} is ${own ?? 'absent'} for the proxy and ${other ?? 'absent'} for the remote`
  if (remote.tokens.length < proxy.tokens.length)
    return `the proxy has ${proxy.tokens.length} ids, the remote ${remote.tokens.length}`
  for (const [id, own] of proxy.tokens.entries()) {
    const other = remote.tokens[id]
    if (own === undefined ? other !== undefined : other === undefined || !sameBytes(own, other))
      return `id ${id} is ${tokenText(own)} for the proxy and ${tokenText(other)} for the remote`
  }
  return undefined
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, index) => byte === b[index])
}

function tokenText(token: Uint8Array | undefined): string {
  if (token === undefined) return 'no token'
  const hex = [...token].map((byte) => byte.toString(16).padStart(2, '0')).join(' ')
  return `${JSON.stringify(new TextDecoder().decode(token))} (bytes ${hex})`
}
