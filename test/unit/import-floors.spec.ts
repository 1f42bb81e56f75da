import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, posix } from 'node:path'
import { packageRoot } from '../../src/package-root.ts'

/** A file's imports of other files of this tree, by path from the package's root. */
type Imports = ReadonlyMap<string, readonly string[]>

/** Folders that ship, the lowest layer first. Each imports only from the layers below it (docs/architecture.md). */
const FLOORS: readonly (readonly string[])[] = [
  ['src/package-root.ts'],
  ['src/formats'],
  ['src/adapter', 'src/data'],
  ['src/protocol', 'src/model'],
  ['src/prada'],
  ['src/node'],
  ['scripts/testnet'],
  ['src/cli', 'src/index.ts', 'src/control.ts'],
  // A separate program, with the options of the command line.
  ['scripts/testnet/prepare.ts']
]

/** Rooms of programs beside the package, the lowest first: each may use the package, and programs of those before it. */
const PROGRAMS = ['scripts/build', 'sim', 'pretrain', 'checks', 'lab', 'bench'] as const

/** Rooms in which no two folders may need each other. */
const ROOMS_WITHOUT_RINGS = [...FLOORS.flat(), ...PROGRAMS].filter((room) => !room.endsWith('.ts'))

const IMPORT = /(?:from|import)\s*\(?\s*'(\.{1,2}\/[^']+)'/g

function sourcesBelow(folder: string): string[] {
  return readdirSync(join(packageRoot(), folder), { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
    .map(({ parentPath, name }) => posix.join(parentPath.slice(packageRoot().length + 1), name))
}

function importsOf(file: string): string[] {
  const text = readFileSync(join(packageRoot(), file), 'utf8')
  return [...text.matchAll(IMPORT)].map(([, specifier]) => posix.join(dirname(file), specifier!))
}

function importsBelow(folders: readonly string[]): Imports {
  return new Map(folders.flatMap(sourcesBelow).map((file) => [file, importsOf(file)]))
}

const shipped = importsBelow(['src', 'scripts/testnet'])
const programs = importsBelow(PROGRAMS)
const imports: Imports = new Map([...shipped, ...programs])

function roomOf(file: string): string | undefined {
  const rooms = FLOORS.flat()
  return rooms.find((room) => file === room) ?? rooms.find((room) => file.startsWith(`${room}/`))
}

function floorOf(file: string): number {
  return FLOORS.findIndex((rooms) => rooms.includes(roomOf(file) ?? ''))
}

/** The name under which a file counts among the children of a folder: a subfolder's, or its own. */
function childOf(folder: string, file: string): string | undefined {
  if (!file.startsWith(`${folder}/`)) return undefined
  return file.slice(folder.length + 1).split('/')[0]
}

/** What each child of a folder imports from the others, with one such import. */
function childImports(folder: string): Map<string, Map<string, string>> {
  const needs = new Map<string, Map<string, string>>()
  for (const [file, targets] of imports) {
    const from = childOf(folder, file)
    // An index collects what its folder exports; files inside must not import it.
    if (from === undefined || file === `${folder}/index.ts`) continue
    for (const target of targets) {
      const to = childOf(folder, target)
      if (to === undefined || to === from || target === `${folder}/index.ts`) continue
      needs.set(from, (needs.get(from) ?? new Map<string, string>()).set(to, `${file} -> ${target}`))
    }
  }
  return needs
}

/** An import cycle among a folder's children, as its imports, or undefined. */
function ringIn(folder: string): string[] | undefined {
  const needs = childImports(folder)
  const done = new Set<string>()
  const walk = (child: string, path: readonly string[]): string[] | undefined => {
    if (path.includes(child)) {
      const ring = [...path.slice(path.indexOf(child)), child]
      // Two files beside each other may share types; a ring counts where a folder is part of it.
      if (ring.every((name) => name.endsWith('.ts'))) return undefined
      return ring.slice(1).map((name, index) => needs.get(ring[index]!)!.get(name)!)
    }
    if (done.has(child)) return undefined
    for (const next of needs.get(child)?.keys() ?? []) {
      const found = walk(next, [...path, child])
      if (found !== undefined) return found
    }
    done.add(child)
    return undefined
  }
  for (const child of needs.keys()) {
    const found = walk(child, [])
    if (found !== undefined) return found
  }
  return undefined
}

function foldersOf(room: string): string[] {
  return [...new Set([...imports.keys()].filter((file) => file.startsWith(`${room}/`)).map(dirname))]
    .flatMap((folder) => {
      const parts = folder.split('/')
      return parts.map((_, index) => parts.slice(0, index + 1).join('/'))
    })
    .filter((folder, index, all) => folder.startsWith(room) && all.indexOf(folder) === index)
}

describe('the layers of the source tree', () => {
  it('contain every file that ships', () => {
    assert.deepEqual(
      [...shipped.keys()].filter((file) => floorOf(file) < 0),
      []
    )
  })

  it('import downwards only', () => {
    const upwards = [...shipped].flatMap(([file, targets]) =>
      targets
        .filter((target) => roomOf(target) !== roomOf(file) && floorOf(target) >= floorOf(file))
        .map((target) => `${file} -> ${target}`)
    )
    assert.deepEqual(upwards, [])
  })

  it('import nothing that does not ship', () => {
    const outside = [...shipped].flatMap(([file, targets]) =>
      targets.filter((target) => floorOf(target) < 0).map((target) => `${file} -> ${target}`)
    )
    assert.deepEqual(outside, [])
  })

  it('have no file that imports the index of its own folder', () => {
    const own = [...imports].flatMap(([file, targets]) =>
      targets
        .filter((target) => target.endsWith('/index.ts') && file.startsWith(`${dirname(target)}/`))
        .map((target) => `${file} -> ${target}`)
    )
    assert.deepEqual(own, [])
  })

  it('are below the programs outside the package, each of which imports only earlier ones', () => {
    const orderOf = (file: string) => PROGRAMS.findIndex((room) => file.startsWith(`${room}/`))
    const upwards = [...programs].flatMap(([file, targets]) =>
      targets.filter((target) => orderOf(target) > orderOf(file)).map((target) => `${file} -> ${target}`)
    )
    assert.deepEqual(upwards, [])
  })

  for (const room of ROOMS_WITHOUT_RINGS)
    it(`have no import cycle between the folders of ${room}`, () => {
      const rings = foldersOf(room).flatMap((folder) => {
        const ring = ringIn(folder)
        return ring === undefined ? [] : [`${folder}: ${ring.join(', ')}`]
      })
      assert.deepEqual(rings, [])
    })
})
