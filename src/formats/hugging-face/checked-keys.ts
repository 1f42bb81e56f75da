/**
 * One rule for other programs' configuration files: each key is used, known to change no result, or refused by name.
 * Each reader has a table of keys; a key missing from the table is refused too, unless its value means "absent" (null,
 * false, an empty string, list or object).
 */
export interface KeyTable {
  /** Name of the file for messages, such as `config.json`. */
  readonly file: string
  /** Keys that the reader uses. */
  readonly used: readonly string[]
  /** Ignored keys, grouped by the reason why they change nothing. */
  readonly harmless: readonly HarmlessKeys[]
  /** Refused keys, by name: they change what is computed. */
  readonly refused: Readonly<Record<string, RefusedKey>>
}

/** Keys that are harmless for one reason. */
export interface HarmlessKeys {
  readonly reason: string
  readonly keys: readonly string[]
  /** Patterns of further keys; they do not apply to refused keys. */
  readonly patterns?: readonly RegExp[]
}

/** A key that is refused. */
export interface RefusedKey {
  /** Values with which it changes nothing, besides those that mean "absent". */
  readonly unless?: readonly unknown[]
  /** What it means, as the rest of a sentence, and what to do. */
  readonly cure: string
}

/** Characters of a value that a message shows. */
const SHOWN_MAX = 60

/**
 * Lists the keys of an object that its reader would wrongly ignore.
 *
 * @returns one sentence per key, none if all are used or harmless
 */
export function findUnreadKeys(json: object, { file, used, harmless, refused }: KeyTable): string[] {
  return unreadKeys(json, { file, used, harmless, refused }).map(({ key, value, cure }) => {
    const where = `${file}, ${key}: ${shown(value)}`
    if (cure !== undefined) return `${where} ${cure}`
    return `${where} is a key that Loam does not know and that may change what is computed; if it is only a note by the program that wrote the file, remove it`
  })
}

/** A key that its reader would wrongly ignore. */
export interface UnreadKey {
  readonly key: string
  readonly value: unknown
  /** As in `RefusedKey`; undefined for a key missing from the table. */
  readonly cure: string | undefined
}

/** The keys of an object that its reader would wrongly ignore. */
export function unreadKeys(json: object, { used, harmless, refused }: KeyTable): UnreadKey[] {
  const known = new Set([...used, ...harmless.flatMap(({ keys }) => keys)])
  const forms = harmless.flatMap(({ patterns = [] }) => patterns)
  return Object.entries(json).flatMap(([key, value]) => {
    if (known.has(key)) return []
    const refusal = Object.hasOwn(refused, key) ? refused[key] : undefined
    if (refusal === undefined && forms.some((form) => form.test(key))) return []
    if (refusal?.unless?.some((allowed) => sameJson(allowed, value))) return []
    if (saysAbsent(value) && !(refusal?.unless !== undefined && value === false)) return []
    return [{ key, value, cure: refusal?.cure }]
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
