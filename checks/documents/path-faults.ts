import type { Document, Quote } from './document.ts'
import type { Fault } from './fault.ts'
import type { House } from './house.ts'

/** Inline code that can only be a file of the repository, in any folder. */
const SOURCE_FILE = /^[\w.-]+(\/[\w.-]+)*\.(ts|mjs|cjs|py)$/
/**
 * Inline code that may be a path of the repository, if it begins with one of its folders. `<name>` and `*` match
 * anything.
 */
const PATH = /^[\w.<>*-]+(\/[\w.<>*-]+)+\/?$/
const COMPILED = /^dist\/(.*)\.js$/

/** Paths in inline code that are not in the tree, and subpaths that the package does not export. */
export function pathFaults({ path, spans }: Document, house: House): Fault[] {
  const rooms = new Set([...house.paths].map((one) => one.split('/')[0]!))
  const fault = ({ line }: Quote, what: string): Fault => ({ path, line, what })
  return spans.flatMap((span) => {
    const text = (COMPILED.exec(span.text)?.[1] ?? '') === '' ? span.text : sourceOf(span.text)
    if (text.startsWith('loam-net/'))
      return house.exports.has(text) ? [] : [fault(span, `${text} is not exported by package.json`)]
    const isRooted = PATH.test(text) && rooms.has(text.split('/')[0]!)
    if (!isRooted && !SOURCE_FILE.test(text)) return []
    return exists(text, isRooted, house) ? [] : [fault(span, `there is no ${text}`)]
  })
}

function sourceOf(compiled: string): string {
  return `${COMPILED.exec(compiled)![1]}.ts`
}

/** Whether a path exists; a relative one may be the end of any path. */
function exists(text: string, isRooted: boolean, { paths }: House): boolean {
  const wanted = text.replace(/\/$/, '')
  if (paths.has(wanted)) return true
  const pattern = wanted
    .split(/<[^>]*>|\*+/)
    .map((part) => part.replace(/[.+?^${}()|[\]\\]/g, '\\$&'))
    .join('[^/]*')
  const expression = new RegExp(`${isRooted ? '^' : '(^|/)'}${pattern}$`)
  const hasPlaceholder = /[<*]/.test(wanted)
  if (isRooted && !hasPlaceholder) return false
  return [...paths].some((path) => expression.test(path))
}
