import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { renderMarkdown } from './markdown.ts'
import { renderPlots } from './plots.ts'
import { readResults } from './results.ts'
import { type SummaryRow, summarise } from './summary.ts'

/** File names of an experiment inside its folder. */
export const RESULTS_FILE = 'experiment.jsonl'
const REPORT_FILE = 'experiment.md'

/**
 * Renders report and plots of a results file beside it.
 *
 * @returns the rows of the report and the files written
 */
export async function writeReport(folder: string): Promise<{ rows: SummaryRow[]; files: string[] }> {
  const { header, runs } = readResults(join(folder, RESULTS_FILE))
  const rows = summarise(runs)
  const plots = await renderPlots(rows)
  for (const [name, svg] of plots) writeFileSync(join(folder, name), svg)
  const pictures = [...plots.keys()].map((name) => `![${name.replace('.svg', '')}](${name})`).join('\n\n')
  writeFileSync(join(folder, REPORT_FILE), `${renderMarkdown({ header, runs, rows })}\n${pictures}\n`)
  return { rows, files: [REPORT_FILE, ...plots.keys()].map((name) => join(folder, name)) }
}
