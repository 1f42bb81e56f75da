/** A BPE vocabulary and its merges, the first the most important. */
export interface BpeMerges {
  readonly vocab: Readonly<Record<string, number>>
  readonly merges: readonly (readonly [string, string])[]
}

/**
 * Whether some token is taken whole only where merges are ignored: its own characters, merged in the order of the merges,
 * do not come to it.
 *
 * @param except tokens that never come from merges, such as added ones
 */
export function hasUnmergedTokens({ vocab, merges }: BpeMerges, except: ReadonlySet<string>): boolean {
  const ranks = new Map(merges.map(([left, right], rank) => [`${left} ${right}`, rank]))
  return Object.keys(vocab).some((token) => !except.has(token) && mergedLength([...token], ranks) > 1)
}

function mergedLength(parts: string[], ranks: ReadonlyMap<string, number>): number {
  for (;;) {
    let best = Number.POSITIVE_INFINITY
    let place = -1
    for (let at = 0; at + 1 < parts.length; at++) {
      const rank = ranks.get(`${parts[at]} ${parts[at + 1]}`)
      if (rank !== undefined && rank < best) {
        best = rank
        place = at
      }
    }
    if (place < 0) return parts.length
    parts.splice(place, 2, parts[place]! + parts[place + 1]!)
  }
}

/**
 * Scores by which SentencePiece's merging (as llama.cpp does it: of all neighbours that are a token together the one with
 * the highest score, the leftmost of equals) takes the same steps as merges by rank.
 *
 * @param except tokens that never come from merges
 * @returns by token; undefined where no scores do
 */
export function mergeScores(
  { vocab, merges }: BpeMerges,
  except: ReadonlySet<string>
): ReadonlyMap<string, number> | undefined {
  const known = new Set(merges.map(([left, right]) => `${left} ${right}`))
  const scores = new Map<string, number>()
  let before = ''
  for (const [left, right] of merges) {
    const result = left + right
    if (result !== before && scores.has(result) && !except.has(result)) return undefined
    if (!scores.has(result)) scores.set(result, -scores.size - 1)
    before = result
  }
  for (const token of Object.keys(vocab)) {
    if (except.has(token)) continue
    const letters = [...token]
    for (let at = 1; at < letters.length; at++) {
      const [left, right] = [letters.slice(0, at).join(''), letters.slice(at).join('')]
      // What SentencePiece would merge, and these merges do not.
      if (left in vocab && right in vocab && !known.has(`${left} ${right}`)) return undefined
    }
  }
  return scores
}
