import { existsSync, readFileSync } from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import { packageRoot } from '../../package-root.ts'

/** Where npm must install packages for Loam to find them. */
export interface InstallPlace {
  /** A clone of Loam's repository, the `node_modules` of a project, or npm's global folder. */
  readonly kind: 'clone' | 'project' | 'global'
  /** The folder that holds `node_modules`. */
  readonly folder: string
}

/**
 * Determines from Loam's folder how it was installed.
 *
 * @param root folder of Loam's package.json
 */
export function installPlace(root = packageRoot()): InstallPlace {
  const modules = dirname(root)
  if (basename(modules) !== 'node_modules') return { kind: 'clone', folder: root }
  const folder = dirname(modules)
  return { kind: existsSync(join(folder, 'package.json')) ? 'project' : 'global', folder }
}

/** How to install an executor's npm package. */
export interface InstallOptions {
  /** Whether its install script must run, because it downloads files that are not in the registry. */
  readonly withScripts?: boolean
  /** Where to install; Loam's own location if absent. */
  readonly place?: InstallPlace
  /** The folder in which the command is typed; this process's if absent. */
  readonly currentFolder?: string
}

/**
 * The command that installs an npm package beside Loam, in the version that Loam is tested with.
 *
 * @param name one of the optional dependencies or optional peer dependencies
 */
export function installCommand(
  name: string,
  { withScripts = false, place = installPlace(), currentFolder = process.cwd() }: InstallOptions = {}
): string {
  if (place.kind === 'clone' && !withScripts) return 'npm ci'
  return [
    ...['npm', 'install', ...placeFlags(place, currentFolder)],
    withScripts ? '--ignore-scripts=false' : '--ignore-scripts',
    `${name}@${testedVersion(name)}`
  ].join(' ')
}

function placeFlags({ kind, folder }: InstallPlace, currentFolder: string): string[] {
  if (kind === 'global') return ['--global']
  const elsewhere = resolve(currentFolder) === folder ? [] : ['--prefix', folder]
  return kind === 'clone' ? ['--no-save', ...elsewhere] : elsewhere
}

function testedVersion(name: string): string {
  const { optionalDependencies, peerDependencies } = JSON.parse(
    readFileSync(join(packageRoot(), 'package.json'), 'utf8')
  ) as Record<'optionalDependencies' | 'peerDependencies', Record<string, string>>
  const version = optionalDependencies[name] ?? peerDependencies[name]
  if (version === undefined) throw new Error(`${name} is not an optional dependency of Loam`)
  return version
}
