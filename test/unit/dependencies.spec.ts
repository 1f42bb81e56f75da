import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { packageRoot } from '../../src/package-root.ts'

const SHIPPED = ['src', 'scripts/testnet']
const NOT_SHIPPED = ['scripts', 'sim', 'lab', 'bench', 'pretrain', 'checks', 'test']
/** The package of an import; lines of comments do not count. */
const IMPORTED = /^(?! \*).*?(?:\bimport|\bfrom|\bimport\() ?'((?:@[\w.-]+\/)?\w[\w.-]*)(?:\/[^']*)?'/gm
/** Started by a script or a file of settings, or read by the compiler: never imported. */
const TOOLS = ['@biomejs/biome', '@types/mocha', '@types/node', '@types/ws', 'c8', 'mocha', 'typescript']

const manifest = JSON.parse(readFileSync(join(packageRoot(), 'package.json'), 'utf8')) as Record<
  'dependencies' | 'optionalDependencies' | 'peerDependencies' | 'devDependencies',
  Readonly<Record<string, string>>
>
const namesIn = (kind: keyof typeof manifest) => Object.keys(manifest[kind])
const shipped = namesIn('dependencies').concat(namesIn('optionalDependencies'), namesIn('peerDependencies'))

function sourcesIn(rooms: readonly string[]): { readonly path: string; readonly text: string }[] {
  return rooms.flatMap((room) =>
    readdirSync(join(packageRoot(), room), { withFileTypes: true, recursive: true })
      .filter((entry) => entry.isFile() && /\.(?:ts|mjs|cjs)$/.test(entry.name))
      .map(({ parentPath, name }) => join(parentPath, name))
      .map((path) => ({ path, text: readFileSync(path, 'utf8') }))
  )
}

/** Packages whose name, or a path below it, stands in quotes: some are loaded by their name. */
function unusedOf(names: readonly string[], rooms: readonly string[]): string[] {
  const sources = sourcesIn(rooms)
  return names.filter(
    (name) => !sources.some(({ text }) => text.includes(`'${name}'`) || text.includes(`'${name}/`))
  )
}

describe('the dependencies', () => {
  it('of the package are all used by it', () => {
    assert.deepEqual(unusedOf(shipped, SHIPPED), [])
  })

  it('for development are all used', () => {
    const names = namesIn('devDependencies').filter((name) => !TOOLS.includes(name))
    assert.deepEqual(unusedOf(names, [...SHIPPED, ...NOT_SHIPPED]), [])
  })

  it('include every package that the shipped code imports', () => {
    const imports = sourcesIn(SHIPPED).flatMap(({ path, text }) =>
      [...text.matchAll(IMPORTED)].map(([, name]) => ({ name: name!, path }))
    )
    assert.ok(imports.some(({ name }) => name === 'libp2p') && imports.some(({ name }) => name === 'zod'))
    assert.deepEqual(
      imports.filter(({ name }) => !shipped.includes(name)),
      []
    )
  })

  it('are pinned, and optional peers are the versions tested', () => {
    for (const kind of [
      'dependencies',
      'optionalDependencies',
      'peerDependencies',
      'devDependencies'
    ] as const)
      for (const [name, version] of Object.entries(manifest[kind]))
        assert.match(version, /^\d+\.\d+\.\d+$/, `${name} is not pinned`)
    for (const [name, version] of Object.entries(manifest.peerDependencies))
      assert.equal(manifest.devDependencies[name] ?? version, version, name)
  })
})
