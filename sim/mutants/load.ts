import { register } from 'node:module'
import { compileMutants } from './compile.ts'
import type { LoaderData } from './loader.ts'

/** The simulator, loaded with the protocol that it runs. */
export type Subject = typeof import('../runs/subject.ts')

let isRegistered = false

/**
 * The simulator over the protocol as it is, or over a copy of it in which a mutant is compiled: a second set of modules in
 * this process.
 *
 * @throws {RangeError} for a name that is not a mutant's
 * @throws {Error} when a mutant no longer applies to the sources
 */
export async function loadSubject(mutant?: string): Promise<Subject> {
  if (mutant === undefined) return await import('../runs/subject.ts')
  // Imported lazily: runs of the unmodified protocol do not need the list.
  const { MUTANTS } = await import('./list.ts')
  if (MUTANTS[mutant] === undefined)
    throw new RangeError(`unknown mutant ${mutant}; known: ${Object.keys(MUTANTS).join(', ')}`)
  if (!isRegistered) {
    const root = new URL('../../', import.meta.url)
    const compiled = compileMutants(MUTANTS)
    const data: LoaderData = {
      root: root.href,
      mutants: [...compiled].map(([name, source]) => {
        const file = MUTANTS[name]!.file.replace(/\.ts$/, '.js')
        return { name, url: new URL(`src/protocol/${file}`, root).href, source }
      })
    }
    register(new URL('./loader.js', import.meta.url), { data })
    isRegistered = true
  }
  return await import(new URL(`../runs/subject.js?mutant=${mutant}`, import.meta.url).href)
}
