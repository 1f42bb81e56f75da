import { readFile } from 'node:fs/promises'
import { z } from 'zod'
import { isMissing } from './errors.ts'
import type { Home } from './home.ts'
import { writeFileAtomic } from './store/index.ts'

/** Addresses that are kept from one start to the next. */
const ADDRESSES_MAX = 4096
const addressesSchema = z.array(z.string().max(512)).max(ADDRESSES_MAX)

/** Where members were when this peer last ran; nothing where that is not known. */
export async function loadAddresses(home: Home): Promise<string[]> {
  try {
    return addressesSchema.parse(JSON.parse(await readFile(home.addresses, 'utf8')))
  } catch (error) {
    // They are hints: a damaged file must not keep the peer from starting.
    if (isMissing(error) || error instanceof SyntaxError || error instanceof z.ZodError) return []
    throw error
  }
}

/** Keeps members' addresses, so that a restarted peer finds them without its bootstrap peer. */
export async function saveAddresses(home: Home, addresses: readonly string[]): Promise<void> {
  const kept = [...new Set(addresses)].slice(0, ADDRESSES_MAX)
  await writeFileAtomic(home.addresses, new TextEncoder().encode(`${JSON.stringify(kept, undefined, 2)}\n`))
}
