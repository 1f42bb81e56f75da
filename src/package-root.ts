import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** Name in package.json by which the package folder is recognised. */
const PACKAGE_NAME = 'loam-net'

/**
 * The folder that holds this package's package.json, `models/` and `dist/`, found relative to this file, so that it
 * works in a clone, from `dist/` and in an installed package.
 *
 * @throws {Error} when the file was moved out of the package
 */
export function packageRoot(): string {
  let folder = dirname(fileURLToPath(import.meta.url))
  for (;;) {
    const manifest = join(folder, 'package.json')
    if (existsSync(manifest) && JSON.parse(readFileSync(manifest, 'utf8')).name === PACKAGE_NAME)
      return folder
    const parent = dirname(folder)
    if (parent === folder)
      throw new Error(`no package.json of ${PACKAGE_NAME} above ${fileURLToPath(import.meta.url)}`)
    folder = parent
  }
}

/** The built `loam` command, for starting child processes. */
export function commandFile(): string {
  return join(packageRoot(), 'dist', 'src', 'cli', 'main.js')
}

/** This package's version. */
export function packageVersion(): string {
  return (JSON.parse(readFileSync(join(packageRoot(), 'package.json'), 'utf8')) as { version: string })
    .version
}
