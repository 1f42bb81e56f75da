import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { applyMutant, type Mutant } from './mutant.ts'

const PROTOCOL = fileURLToPath(new URL('../../../src/protocol/', import.meta.url))
const COMPILER = join(dirname(fileURLToPath(import.meta.resolve('typescript/package.json'))), 'bin', 'tsc')
/** As in `tsconfig.json`, but without type checks: a mutant is a single file without the others. */
const OPTIONS = [
  ...['--ignoreConfig', '--noCheck', '--noResolve', '--types', ''],
  ...['--target', 'es2023', '--lib', 'es2023', '--module', 'preserve'],
  ...['--verbatimModuleSyntax', '--rewriteRelativeImportExtensions']
]

/**
 * Applies the mutants and compiles them, all in one run of the compiler.
 *
 * @returns the JavaScript of each mutant's file, by the mutant's name
 * @throws {Error} when a mutant no longer applies or is not TypeScript
 */
export function compileMutants(mutants: Readonly<Record<string, Mutant>>): Map<string, string> {
  const folder = mkdtempSync(join(tmpdir(), 'loam-mutants-'))
  try {
    const sources = Object.entries(mutants).map(([name, mutant]) => {
      const path = join(folder, 'source', name, mutant.file)
      mkdirSync(dirname(path), { recursive: true })
      writeFileSync(path, applyMutant(name, mutant, readFileSync(join(PROTOCOL, mutant.file), 'utf8')))
      return path
    })
    compile(folder, sources)
    const compiled = (name: string, file: string) =>
      readFileSync(join(folder, 'compiled', name, file.replace(/\.ts$/, '.js')), 'utf8')
    return new Map(Object.entries(mutants).map(([name, { file }]) => [name, compiled(name, file)]))
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

function compile(folder: string, sources: readonly string[]): void {
  const folders = ['--rootDir', join(folder, 'source'), '--outDir', join(folder, 'compiled')]
  try {
    execFileSync(process.execPath, [COMPILER, ...OPTIONS, ...folders, ...sources], {
      cwd: folder,
      encoding: 'utf8'
    })
  } catch (error) {
    throw new Error(`the mutants do not compile:\n${(error as { stdout?: string }).stdout ?? error}`)
  }
}
