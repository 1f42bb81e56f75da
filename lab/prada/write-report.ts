import { existsSync, readFileSync, writeFileSync } from 'node:fs'

const BEGIN = '<!-- npm run prada: begin -->'
const END = '<!-- npm run prada: end -->'

/**
 * Puts a run's tables into a Markdown file in place of those of the run before; what else the file says stays.
 *
 * @throws {Error} when the file is there and has no marks
 */
export function writeReport(file: string, tables: string): void {
  const block = `${BEGIN}\n${tables}\n${END}`
  if (!existsSync(file)) {
    writeFileSync(file, `# A steered large model\n\n${block}\n`)
    return
  }
  const text = readFileSync(file, 'utf8')
  const [begin, end] = [text.indexOf(BEGIN), text.indexOf(END)]
  if (begin < 0 || end < begin) throw new Error(`${file} has no marks ${BEGIN} and ${END}: give another file`)
  writeFileSync(file, `${text.slice(0, begin)}${block}${text.slice(end + END.length)}`)
}
