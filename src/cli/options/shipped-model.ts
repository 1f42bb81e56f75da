import { existsSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import type { Home } from '../../node/home/home.ts'
import { packageRoot } from '../../package-root.ts'

/** Name of the base model that comes with the package. */
export const SHIPPED_MODEL = 'loam-base-1m'

/** The folder of a base model: the given one, or the shipped model's. */
export function baseModelFolder(given?: string): string {
  return given === undefined ? join(packageRoot(), 'models', SHIPPED_MODEL) : resolve(given)
}

/** The folder of a home's base model: the given one, that of its settings, the one fetched from members, or the shipped model's. */
export function homeModelFolder(home: Home, given?: string): string {
  return baseModelFolder(given ?? modelOfSettings(home) ?? (existsSync(home.base) ? home.base : undefined))
}

/** What peer.json says; faults of the file are for the commands that start a peer. */
function modelOfSettings({ config }: Home): string | undefined {
  try {
    const { model } = JSON.parse(readFileSync(config, 'utf8')) as { model?: unknown }
    return typeof model === 'string' ? model : undefined
  } catch {
    return undefined
  }
}

/**
 * Checks that a folder contains a base model, before anything is loaded.
 *
 * @throws {Error} saying what to set
 */
export function requireBaseModel(folder: string): void {
  if (!existsSync(join(folder, 'config.json')))
    throw new Error(`${folder} contains no base model (no config.json): set --model to its folder`)
}
