/** Where the settings of homes made before version 0.1.0 had groups are now. */
const MOVED: Readonly<Record<string, string>> = {
  rank: 'adapter.rank',
  alpha: 'adapter.alpha',
  listen: 'network.listen',
  bootstrap: 'network.bootstrap',
  mdns: 'network.mdns'
}

/** Settings in today's places, and what was moved there. */
export interface Moved {
  readonly settings: Record<string, unknown>
  readonly moved: readonly { readonly from: string; readonly to: string }[]
}

/** Moves the flat keys of earlier homes into their groups; one that is given in both places stays, to be refused. */
export function moveEarlierKeys(given: Readonly<Record<string, unknown>>): Moved {
  const settings: Record<string, unknown> = { ...given }
  const moved: { from: string; to: string }[] = []
  for (const [from, to] of Object.entries(MOVED)) {
    if (!Object.hasOwn(settings, from)) continue
    const [group, name] = to.split('.') as [string, string]
    const inside = settings[group] ?? {}
    if (typeof inside !== 'object' || Array.isArray(inside) || Object.hasOwn(inside, name)) continue
    settings[group] = { ...inside, [name]: settings[from] }
    delete settings[from]
    moved.push({ from, to })
  }
  return { settings, moved }
}
