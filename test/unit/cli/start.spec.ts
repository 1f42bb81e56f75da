import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join, posix } from 'node:path'
import { packageRoot } from '../../../src/package-root.ts'

/** A compiled file's static imports; `import()` comes when it is needed. */
const STATIC_IMPORT = /^(?:import|export)\s(?:[^'"();]*?\sfrom\s)?['"]([^'"]+)['"]/gm

/** What is loaded before the first line of some files runs: paths below `src/` without ending, and packages. */
function loadedWith(...files: readonly string[]): string[] {
  const loaded = new Set<string>()
  const visit = (file: string): void => {
    if (loaded.has(file)) return
    loaded.add(file)
    const text = readFileSync(join(packageRoot(), 'dist/src', `${file}.js`), 'utf8')
    for (const [, specifier] of text.matchAll(STATIC_IMPORT))
      if (specifier!.startsWith('.')) visit(posix.join(posix.dirname(file), specifier!.replace(/\.js$/, '')))
      else if (!specifier!.startsWith('node:')) loaded.add(specifier!)
  }
  for (const file of files) visit(file)
  return [...loaded]
}

describe('the start of the command line', () => {
  it('loads no command and no part of the peer', () => {
    const loaded = loadedWith('cli/main')
    assert(loaded.includes('cli/commands/program'))
    assert.deepEqual(
      loaded.filter((name) => name.includes('/commands/')),
      ['cli/commands/program']
    )
    assert.deepEqual(
      loaded.filter((name) => !/^(cli|node)\//.test(name)),
      ['commander', 'package-root']
    )
  })

  it('loads no network code for a command that asks a running peer or creates an identity', () => {
    const loaded = loadedWith(
      'cli/commands/status',
      'node/base/base-progress',
      'node/control/client',
      'cli/commands/identity',
      'node/home/identity'
    )
    const heavy = /^(libp2p|fastify|cli\/commands\/program|protocol\/machine|(adapter|model|node\/network)\/)/
    assert.deepEqual(
      loaded.filter((name) => heavy.test(name)),
      []
    )
  })
})
