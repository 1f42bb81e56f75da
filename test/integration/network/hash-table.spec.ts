import assert from 'node:assert/strict'
import { publicKeyToProtobuf } from '@libp2p/crypto/keys'
import { lpStream } from '@libp2p/utils'
import protobuf from 'protobufjs'
import { until } from '../../support/until.ts'
import { startHost, stopHosts } from './hosts.ts'

/** The messages of kad-dht and its records that are sent here. */
const types = protobuf.parse(`syntax = "proto3";
  message Record { bytes key = 1; bytes value = 2; string timeReceived = 5; }
  message Peer { bytes id = 1; repeated bytes multiaddrs = 2; }
  message Message { uint32 type = 1; bytes key = 2; bytes record = 3; repeated Peer providers = 9; }`).root
const PUT_VALUE = 0
const FIND_NODE = 4

describe('the hash table of a consortium', function () {
  this.timeout(30_000)
  afterEach(stopHosts)

  it('answers peer lookups, and stores no record that a member puts into it', async () => {
    const host = await startHost({ reach: { dht: true } })
    const member = await startHost({ reach: { dht: true }, bootstrap: [host] })
    await until(() => member.peers().length === 1)
    const [Message, Record] = ['Message', 'Record'].map((name) => types.lookupType(name))
    const send = async (message: object) => {
      const stream = await member.libp2p.dialProtocol(host.peerId, '/loam/test/1/kad')
      const frames = lpStream(stream)
      const signal = AbortSignal.timeout(5_000)
      await frames.write(Message!.encode(message).finish(), { signal })
      return (await frames.read({ signal })).subarray()
    }
    const found = await send({ type: FIND_NODE, key: member.peerId.toMultihash().bytes })
    assert.equal(Message!.toObject(Message!.decode(found)).type, FIND_NODE)
    // The only kind of record that the table would accept by default: a key under its own digest.
    const key = Buffer.concat([Buffer.from('/pk/'), member.peerId.toMultihash().bytes])
    const value = publicKeyToProtobuf(member.peerId.publicKey!)
    const record = Record!.encode({ key, value, timeReceived: new Date().toISOString() }).finish()
    await assert.rejects(send({ type: PUT_VALUE, key, record }))
    const again = await send({ type: FIND_NODE, key: member.peerId.toMultihash().bytes })
    assert.equal(Message!.toObject(Message!.decode(again)).type, FIND_NODE)
  })
})
