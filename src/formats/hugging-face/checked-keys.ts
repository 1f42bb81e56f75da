/**
 * One rule for all of other programs' configuration: a key that can change a number is used, or known to change none, or
 * refused by name. Each reader has a table; a key that is in no table is refused too, unless its value says that what it
 * is about is absent (null, false, an empty string, list or object).
 */
export interface KeyTable {
  /** What the table is of, for messages: `config.json`. */
  readonly file: string
  /** Keys that the reader uses. */
  readonly used: readonly string[]
  /** Keys that are passed over, grouped by the reason for which they change nothing. */
  readonly harmless: readonly HarmlessKeys[]
  /** Keys that change what is computed, by name. */
  readonly refused: Readonly<Record<string, RefusedKey>>
}

/** Keys that one reason makes harmless. */
export interface HarmlessKeys {
  readonly reason: string
  readonly keys: readonly string[]
}

/** A key that is refused. */
export interface RefusedKey {
  /** Values at which it changes nothing, beside those that say that it is absent. */
  readonly unless?: readonly unknown[]
  /** What it means, as the end of a sentence, and what to do. */
  readonly cure: string
}

/** How much of a value a message shows. */
const SHOWN_MAX = 60

/**
 * What an object says that its reader would pass over.
 *
 * @returns one sentence for each key, none where all is used or harmless
 */
export function findUnreadKeys(json: object, { file, used, harmless, refused }: KeyTable): string[] {
  const known = new Set([...used, ...harmless.flatMap(({ keys }) => keys)])
  return Object.entries(json).flatMap(([key, value]) => {
    if (known.has(key)) return []
    const refusal = Object.hasOwn(refused, key) ? refused[key] : undefined
    if (refusal?.unless?.some((allowed) => sameJson(allowed, value))) return []
    if (saysAbsent(value) && !(refusal?.unless !== undefined && value === false)) return []
    const where = `${file}, ${key}: ${shown(value)}`
    if (refusal !== undefined) return [`${where} ${refusal.cure}`]
    return [
      `${where} is a key that Loam does not know, and it may change what is computed; if it is only a note of the program that wrote it, remove it from the file`
    ]
  })
}

function saysAbsent(value: unknown): boolean {
  if (value === null || value === false || value === '') return true
  return typeof value === 'object' && Object.keys(value).length === 0
}

function sameJson(left: unknown, right: unknown): boolean {
  return JSON.stringify(left) === JSON.stringify(right)
}

function shown(value: unknown): string {
  const text = JSON.stringify(value)
  return text.length > SHOWN_MAX ? `${text.slice(0, SHOWN_MAX)}…` : text
}
