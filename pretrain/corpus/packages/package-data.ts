import { createRequire } from 'node:module'

const require = createRequire(import.meta.url)

/**
 * The contents of an npm text package (a CommonJS function that returns an array), read on first use: these packages
 * have up to 90 MB, which a process that trains on other data should not load.
 *
 * @throws {Error} if the package is not installed
 */
export function loadPackageData(name: string): unknown[] {
  let load: unknown
  try {
    load = require(name)
  } catch (cause) {
    throw new Error(`the text package ${name} is not installed: run npm ci in a clone of Loam`, { cause })
  }
  const data: unknown = typeof load === 'function' ? load() : undefined
  if (!Array.isArray(data))
    throw new Error(`the text package ${name} did not return an array: check its version`)
  return data
}
