import assert from 'node:assert/strict'
import { Key } from 'interface-datastore'
import { RecordlessDatastore } from '../../../../../src/node/network/core/recordless-datastore.ts'

describe('the store of the network', () => {
  it('takes what libp2p knows of peers, and no records of the hash table', () => {
    const store = new RecordlessDatastore()
    const value = Uint8Array.of(1)
    store.put(new Key('/peers/one'), value)
    assert.deepEqual(store.get(new Key('/peers/one')), value)
    for (const key of ['/dht/record/x', '/dht/provider/x/y']) {
      assert.throws(() => store.put(new Key(key), value), /keeps no records/)
      assert(!store.has(new Key(key)))
    }
  })
})
