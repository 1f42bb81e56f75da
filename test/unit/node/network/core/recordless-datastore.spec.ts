import assert from 'node:assert/strict'
import { Key } from 'interface-datastore'
import { RecordlessDatastore } from '../../../../../src/node/network/core/recordless-datastore.ts'

describe('the datastore of the network', () => {
  it('stores what libp2p knows about peers, but no DHT records', () => {
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
