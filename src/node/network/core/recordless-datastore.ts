import { MemoryDatastore } from 'datastore-core'
import type { Key } from 'interface-datastore'

/** Where the hash table keeps what others put into it. */
export const DHT_DATASTORE_PREFIX = '/dht'

/**
 * libp2p's store in memory, in which the hash table keeps no records: Loam looks for peers in it and for nothing else, and
 * whoever may put records into it could fill the memory with them.
 */
export class RecordlessDatastore extends MemoryDatastore {
  /** @throws {Error} for a record of the hash table */
  override put(key: Key, value: Uint8Array): Key {
    if (key.toString().startsWith(`${DHT_DATASTORE_PREFIX}/`))
      throw new Error('the hash table of a consortium keeps no records')
    return super.put(key, value) as Key
  }
}
