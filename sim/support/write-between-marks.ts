import { readFileSync, writeFileSync } from 'node:fs'

/**
 * Replaces what stands in a document between `<!-- mark -->` and `<!-- end -->`.
 *
 * @throws {Error} when the document lacks the marks
 */
export function writeBetweenMarks(document: string, mark: string, content: string): void {
  const text = readFileSync(document, 'utf8')
  const [start, end] = [`<!-- ${mark} -->\n`, '<!-- end -->']
  const from = text.indexOf(start) + start.length
  const to = text.indexOf(end, from)
  if (!text.includes(start) || to < 0)
    throw new Error(`${document} lacks the marks ${start.trim()} and ${end}`)
  writeFileSync(document, `${text.slice(0, from)}\n${content}\n\n${text.slice(to)}`)
}
