import { posix } from 'node:path'
import type { Document } from './document.ts'
import type { Fault } from './fault.ts'
import type { House } from './house.ts'

const ABSOLUTE = /^[a-z][a-z0-9+.-]*:/i

/** Relative links whose file or heading does not exist. */
export function linkFaults(
  { path, links, anchors }: Document,
  house: House,
  documents: readonly Document[]
): Fault[] {
  const anchorsOf = new Map(documents.map((document) => [document.path, document.anchors]))
  return links.flatMap(({ text, line }) => {
    if (ABSOLUTE.test(text)) return []
    const [file, anchor] = text.split('#') as [string, string | undefined]
    const target = file === '' ? path : posix.join(posix.dirname(path), file).replace(/\/$/, '')
    if (target !== path && !house.paths.has(target))
      return [{ path, line, what: `the link ${text} leads nowhere` }]
    if (anchor === undefined) return []
    const known = target === path ? anchors : anchorsOf.get(target)
    return known?.has(anchor) === true ? [] : [{ path, line, what: `${target} has no heading #${anchor}` }]
  })
}
