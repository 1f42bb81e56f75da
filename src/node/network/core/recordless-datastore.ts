import { MemoryDatastore } from 'datastore-core'
import type { Key } from 'interface-datastore'

/** Prefix under which the hash table stores records of others. */
export const DHT_DATASTORE_PREFIX = '/dht'

/**
 * An in-memory datastore that refuses the hash table's records: Loam uses the table to find peers only, and records
 * could fill the memory.
 */
export class RecordlessDatastore extends MemoryDatastore {
  /** @throws {Error} for a record of the hash table */
  override put(key: Key, value: Uint8Array): Key {
    if (key.toString().startsWith(`${DHT_DATASTORE_PREFIX}/`))
      throw new Error('the hash table of a consortium keeps no records')
    return super.put(key, value) as Key
  }
}
