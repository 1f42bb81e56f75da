import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { isBuiltin } from 'node:module'
import { join } from 'node:path'
import { packageRoot } from '../../src/package-root.ts'

type Versions = Readonly<Record<string, string>>

interface Manifest {
  readonly name: string
  readonly scripts: Readonly<Record<string, string>>
  readonly bin?: string | Readonly<Record<string, string>>
  readonly dependencies?: Versions
  readonly optionalDependencies?: Versions
  readonly peerDependencies?: Versions
  readonly devDependencies?: Versions
}

/** Rooms whose code is in the package that people install. */
const SHIPPED = ['src', 'scripts/testnet']
/** Compiled by another compiler, or no code of its own. */
const SKIPPED = new Set(['node_modules', 'dist', 'assembly'])
/** A module specifier after `from`, `import` or a call that resolves a module. */
const SPECIFIER =
  /(?:\bfrom\s|\bimport\s*\(?|\bimport\.meta\.resolve\(|\brequire(?:\.resolve)?\()\s*'([\w@][\w@/.-]*)'/g

function readJson<Json>(...path: string[]): Json {
  return JSON.parse(readFileSync(join(packageRoot(), ...path), 'utf8')) as Json
}

const manifest = readJson<Manifest>('package.json')

/** Any text in quotes that could name a module: data packages are loaded by name. */
const QUOTED = /'([\w@][\w@/.-]*)'/g

/** Names of the packages that the code below some folders has in a place that a pattern finds. */
function namedBelow(pattern: RegExp, ...folders: string[]): Set<string> {
  const names = new Set<string>()
  const visit = (folder: string): void => {
    for (const entry of readdirSync(join(packageRoot(), folder), { withFileTypes: true })) {
      const path = join(folder, entry.name)
      if (entry.isDirectory()) {
        if (!SKIPPED.has(entry.name) && !entry.name.startsWith('.')) visit(path)
      } else if (/\.(ts|mjs|cjs)$/.test(entry.name)) {
        for (const [, specifier] of readFileSync(join(packageRoot(), path), 'utf8').matchAll(pattern))
          if (!isBuiltin(specifier!)) names.add(packageOf(specifier!))
      }
    }
  }
  for (const folder of folders) visit(folder)
  return names
}

/** `@scope/name/file` is in the package `@scope/name`. */
function packageOf(specifier: string): string {
  return specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/')
}

/** Whether an npm script starts one of a package's programs. */
function isStarted(name: string): boolean {
  const { bin = {} } = readJson<Manifest>('node_modules', name, 'package.json')
  const programs = typeof bin === 'string' ? [name.split('/').at(-1)!] : Object.keys(bin)
  const words = new Set(Object.values(manifest.scripts).flatMap((script) => script.split(/\s+/)))
  return programs.some((program) => words.has(program))
}

describe('package.json', () => {
  const shipped = namedBelow(SPECIFIER, ...SHIPPED)
  const everywhere = namedBelow(QUOTED, '.')
  const names = (versions: Versions = {}) => Object.keys(versions)

  it('names no dependency that the shipped code does not import', () => {
    const installed = [...names(manifest.dependencies), ...names(manifest.optionalDependencies)]
    assert.deepEqual(
      installed.filter((name) => !shipped.has(name)),
      []
    )
  })

  it('names every package that the shipped code imports', () => {
    const known = new Set([
      manifest.name,
      ...names(manifest.dependencies),
      ...names(manifest.optionalDependencies),
      ...names(manifest.peerDependencies)
    ])
    assert.deepEqual(
      [...shipped].filter((name) => !known.has(name)),
      []
    )
  })

  it('names no development dependency that nothing names or starts', () => {
    const { types } = readJson<{ compilerOptions: { types: string[] } }>('tsconfig.json').compilerOptions
    const isUsed = (name: string) => {
      if (everywhere.has(name) || isStarted(name)) return true
      const [, typed] = /^@types\/(.+)$/.exec(name) ?? []
      return typed !== undefined && (types.includes(typed) || everywhere.has(typed))
    }
    assert.deepEqual(
      names(manifest.devDependencies).filter((name) => !isUsed(name)),
      []
    )
  })
})
