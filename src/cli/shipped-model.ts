import { join, resolve } from 'node:path'
import { packageRoot } from '../package-root.ts'

/** Name of the base model that comes with the package. */
export const SHIPPED_MODEL = 'loam-base-1m'

/** The folder of a base model: the given one, or the shipped model's. */
export function baseModelFolder(given?: string): string {
  return given === undefined ? join(packageRoot(), 'models', SHIPPED_MODEL) : resolve(given)
}
