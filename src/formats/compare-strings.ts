/**
 * Orders strings by UTF-16 code units: the one order of names in canonical files. `localeCompare` would depend on the
 * machine's language.
 */
export function compareStrings(left: string, right: string): number {
  return left < right ? -1 : left > right ? 1 : 0
}
