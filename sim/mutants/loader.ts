import type { InitializeHook, LoadHook, ResolveHook } from 'node:module'

/** Data passed to the loader. */
export interface LoaderData {
  /** Folder of all modules of which a mutant gets copies. */
  readonly root: string
  readonly mutants: readonly { readonly name: string; readonly url: string; readonly source: string }[]
}

let root: string
const mutants = new Map<string, LoaderData['mutants'][number]>()

export const initialize: InitializeHook<LoaderData> = (data) => {
  root = data.root
  for (const mutant of data.mutants) mutants.set(mutant.name, mutant)
}

/** Modules imported by a mutant's module belong to the mutant, too, except packages. */
export const resolve: ResolveHook = async (specifier, context, nextResolve) => {
  const resolved = await nextResolve(specifier, context)
  const name = context.parentURL === undefined ? undefined : mutantOf(context.parentURL)
  if (name === undefined || !resolved.url.startsWith(root)) return resolved
  return { ...resolved, url: `${resolved.url}?mutant=${name}` }
}

export const load: LoadHook = async (url, context, nextLoad) => {
  const mutant = mutants.get(mutantOf(url) ?? '')
  if (mutant === undefined || url !== `${mutant.url}?mutant=${mutant.name}`)
    return await nextLoad(url, context)
  return { format: 'module', source: mutant.source, shortCircuit: true }
}

function mutantOf(url: string): string | undefined {
  return URL.canParse(url) ? (new URL(url).searchParams.get('mutant') ?? undefined) : undefined
}
