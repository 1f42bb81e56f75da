import { existsSync, readFileSync, writeFileSync } from 'node:fs'

const BEGIN = '<!-- npm run prada: begin -->'
const END = '<!-- npm run prada: end -->'

/**
 * Replaces the tables of the previous run in a Markdown file, and keeps the rest of the file.
 *
 * @throws {Error} if the file exists and has no markers
 */
export function writeReport(file: string, tables: string): void {
  const block = `${BEGIN}\n${tables}\n${END}`
  if (!existsSync(file)) {
    writeFileSync(file, `# A steered large model\n\n${block}\n`)
    return
  }
  const text = readFileSync(file, 'utf8')
  const [begin, end] = [text.indexOf(BEGIN), text.indexOf(END)]
  if (begin < 0 || end < begin)
    throw new Error(`${file} does not contain the markers ${BEGIN} and ${END}: choose another file`)
  writeFileSync(file, `${text.slice(0, begin)}${block}${text.slice(end + END.length)}`)
}
