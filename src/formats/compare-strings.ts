/**
 * Orders strings by UTF-16 code units: the order of names in canonical files. `localeCompare` would depend on the
 * machine's locale.
 */
export function compareStrings(left: string, right: string): number {
  return left < right ? -1 : left > right ? 1 : 0
}
