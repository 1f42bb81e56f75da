import { readdirSync, readFileSync } from 'node:fs'
import { join, relative, sep } from 'node:path'
import type { Command } from 'commander'
import { createProgram } from '../../src/cli/commands/program.ts'
import { packageRoot } from '../../src/package-root.ts'
import { type Document, readDocument } from './document.ts'

/** The facts of the tree that documents refer to. */
export interface House {
  /** Files and folders, relative to the root, with `/`. */
  readonly paths: ReadonlySet<string>
  /** Text of the TypeScript and JavaScript files, by path. */
  readonly sources: ReadonlyMap<string, string>
  /** Text of the tests, by path. */
  readonly tests: ReadonlyMap<string, string>
  /** `npm run` scripts and what they run. */
  readonly scripts: Readonly<Record<string, string>>
  /** What can be imported from the package: `loam-net/data`. */
  readonly exports: ReadonlySet<string>
  /** The `loam` command with its subcommands. */
  readonly program: Command
}

const IGNORED: ReadonlySet<string> = new Set(['node_modules', 'dist', 'coverage', '.git'])
const SOURCE = /\.(ts|mjs|cjs|js)$/
/**
 * Folders whose sources are searched for quotes and options; not tests, since a message that only a test contains is
 * gone.
 */
const SOURCE_FOLDERS: ReadonlySet<string> = new Set([
  'src',
  'scripts',
  'sim',
  'lab',
  'bench',
  'pretrain',
  'checks'
])

/** Reads the tree that contains this file. */
export async function readHouse(root: string = packageRoot()): Promise<House> {
  const paths = new Set<string>()
  const sources = new Map<string, string>()
  const tests = new Map<string, string>()
  for (const path of filesUnder(root)) {
    paths.add(path)
    const [room] = path.split('/') as [string]
    const isThisCheck = path.startsWith('checks/documents/')
    if (SOURCE_FOLDERS.has(room) && SOURCE.test(path) && !isThisCheck)
      sources.set(path, readFileSync(join(root, path), 'utf8'))
    if (path.endsWith('.spec.ts')) tests.set(path, readFileSync(join(root, path), 'utf8'))
    for (let at = path.lastIndexOf('/'); at > 0; at = path.lastIndexOf('/', at - 1))
      paths.add(path.slice(0, at))
  }
  const { name, scripts, exports } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  const exported = Object.keys(exports).map((key) => (key === '.' ? name : `${name}/${key.slice(2)}`))
  return { paths, sources, tests, scripts, exports: new Set(exported), program: await createProgram() }
}

/** The documents that are checked: those at the root, and all under docs/. */
export function readDocuments(root: string = packageRoot()): Document[] {
  return filesUnder(root)
    .filter((path) => path.endsWith('.md') && (!path.includes('/') || path.startsWith('docs/')))
    .map((path) => readDocument(path, readFileSync(join(root, path), 'utf8')))
}

function filesUnder(root: string, folder = root): string[] {
  return readdirSync(folder, { withFileTypes: true })
    .filter(({ name }) => !IGNORED.has(name))
    .flatMap((entry) => {
      const path = join(folder, entry.name)
      return entry.isDirectory() ? filesUnder(root, path) : [relative(root, path).split(sep).join('/')]
    })
    .sort()
}
