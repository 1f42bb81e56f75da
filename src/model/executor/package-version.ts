import { existsSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'

/** Version of an installed npm package; undefined if it is not installed. */
export function packageVersion(name: string): string | undefined {
  for (const folder of foldersAbove(entryOf(name))) {
    const path = join(folder, 'package.json')
    if (!existsSync(path)) continue
    const found = JSON.parse(readFileSync(path, 'utf8')) as { name?: string; version?: string }
    if (found.name === name) return found.version
  }
  return undefined
}

function entryOf(name: string): string | undefined {
  try {
    return createRequire(import.meta.url).resolve(name)
  } catch {
    return undefined
  }
}

function foldersAbove(path: string | undefined): string[] {
  if (path === undefined || dirname(path) === path) return []
  return [dirname(path), ...foldersAbove(dirname(path))]
}
