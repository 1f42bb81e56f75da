import { basename } from 'node:path'
import { homeAt, roundFiles } from '../../src/node/home/home.ts'
import { codeOf, type Document } from './document.ts'
import type { Fault } from './fault.ts'

/** The document that lists the files of a home. */
const LIST = 'docs/architecture.md'

/** Files of a home that the table "Files of a home" leaves out. */
export function homeFaults({ path, tables }: Document): Fault[] {
  if (path !== LIST) return []
  const home = homeAt('/home')
  const { folder: _home, ...files } = home
  const { folder: _round, ...ofRound } = roundFiles(home, 1)
  const listed = tables
    .flatMap(({ rows }) => rows.flatMap(([first]) => codeOf(first ?? '')))
    .flatMap((code) => code.split('/'))
  return [...Object.values(files), ...Object.values(ofRound)]
    .map((file) => basename(file))
    .filter((name) => !listed.includes(name))
    .map((name) => ({ path, line: 1, what: `the table of a home's files lacks ${name}` }))
}
