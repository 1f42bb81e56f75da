import { existsSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { Command } from 'commander'
import { commandFile, packageRoot } from '../../src/package-root.ts'
import { shown } from './case.ts'
import { CASES } from './cases.ts'
import { runCase } from './run-case.ts'

interface Options {
  readonly cases: string
  readonly command: string
  readonly only?: string
  readonly before: string
  readonly record?: string
  readonly write: boolean
  readonly json: boolean
}

/** Outcomes of an earlier state of the code, by case. */
type Recorded = Readonly<Record<string, { readonly shown: string; readonly right: boolean }>>

const CELL_MAX = 110
/** Loam's outcomes before these cases were added. */
const BEFORE = join(packageRoot(), 'checks', 'cases', 'before.json')

/** The page with the table. */
const PAGE = join(packageRoot(), 'docs', 'results', 'cases.md')

const options = new Command('npm run check -- cases')
  .description('Runs external inputs, which are not part of the repository, through the real commands.')
  .option('--cases <folder>', 'folder of the inputs', join(packageRoot(), '..', 'shared', 'cases'))
  .option('--command <file>', 'main.js of the loam command to run', commandFile())
  .option('--only <text>', 'only cases whose names contain this')
  .option('--before <file>', 'outcomes that an earlier run recorded, for the table', BEFORE)
  .option('--record <file>', 'file to write the outcomes to')
  .option('--write', 'write the table and its totals into docs/results/cases.md', false)
  .option('--json', 'print one JSON object', false)
  .parse()
  .opts<Options>()

if (options.write && options.only !== undefined) {
  console.error('error: --write needs all cases: leave out --only')
  process.exitCode = 2
} else if (!existsSync(options.cases)) {
  console.log(options.json ? '{"skipped":true}' : `skipped: folder not found: ${options.cases}`)
} else {
  await checkAll()
}

async function checkAll(): Promise<void> {
  const runner = { cases: resolve(options.cases), command: resolve(options.command) }
  const before = JSON.parse(await readFile(options.before, 'utf8')) as Recorded
  const chosen = CASES.filter(({ name }) => name.includes(options.only ?? ''))
  const results: Record<string, { shown: string; right: boolean }> = {}
  const rows = ['| case | expected | before | now |', '|---|---|---|---|']
  if (!options.json) console.log(rows.join('\n'))
  for (const one of chosen) {
    const { outcome, first } = await runCase(one, runner)
    const right = one.expectation.fits(outcome, first)
    results[one.name] = { shown: plain(shown(outcome), runner.cases), right }
    const earlier = before[one.name]
    const cells = [
      one.name,
      one.expectation.right,
      earlier === undefined ? '' : cell(earlier),
      cell(results[one.name]!)
    ]
    const row = `| ${cells.map((text) => text.replaceAll('|', '\\|')).join(' | ')} |`
    rows.push(row)
    if (!options.json) console.log(row)
  }
  const wrong = Object.values(results).filter(({ right }) => !right).length
  if (options.record !== undefined)
    await writeFile(options.record, `${JSON.stringify(results, undefined, 2)}\n`)
  if (options.write) await writePage(rows, `${chosen.length - wrong} of ${chosen.length}`)
  if (options.json) console.log(JSON.stringify({ cases: chosen.length, wrong, results }))
  else console.log(`\n${chosen.length - wrong} of ${chosen.length} as expected`)
  process.exitCode = wrong === 0 ? 0 : 1
}

/** Replaces the page's table and the total of now. */
async function writePage(rows: readonly string[], total: string): Promise<void> {
  const page = await readFile(PAGE, 'utf8')
  const table = `${rows.join('\n')}\n`
  await writeFile(
    PAGE,
    page
      .replace(/Now: \d+ of \d+/, `Now: ${total}`)
      .replace(/^\| case \|[\s\S]*?(?=^[^|]|$(?![\s\S]))/m, () => table)
  )
}

function cell({ shown, right }: { readonly shown: string; readonly right: boolean }): string {
  const text = shown.length > CELL_MAX ? `${shown.slice(0, CELL_MAX)}…` : shown
  return right ? text : `**wrong:** ${text}`
}

/** Removes what differs between machines and runs: keys, and the ids that come from them. */
function plain(text: string, folder: string): string {
  return text
    .replaceAll(`${folder}/`, '')
    .replaceAll(/\/tmp\/loam-case-\w+\//g, '')
    .replaceAll(/"(bafyrei|12D3KooW)\w+"/g, '"$1…"')
    .trim()
}
