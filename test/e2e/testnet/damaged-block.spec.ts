import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { sha256Hex } from '../../../src/formats/index.ts'
import { roundFiles } from '../../../src/node/home/home.ts'
import { type SmallTestnet, smallTestnet } from './small-testnet.ts'

/** With shards of int8, so that a network has agreed on those too. */
describe('a peer whose stored shard was damaged', function () {
  this.timeout(240_000)
  let testnet: SmallTestnet

  before(async () => {
    testnet = await smallTestnet(4, 2, 'int8')
  })
  after(() => testnet.end())

  it('fetches the block again, rebuilds the round and agrees', async () => {
    const { run } = testnet
    const { home } = testnet.prepared.peers[2]!
    await run.start()
    await run.untilSealed(1)
    await run.killPeer(2)
    // A peer that was late has not trained; who sent something keeps what the rounding left out.
    const owing = testnet.prepared.peers.filter((peer) => existsSync(roundFiles(peer.home, 1).residual))
    assert(owing.length > 0, 'nobody makes up for the rounding')
    const stack = await readFile(roundFiles(home, 1).stack)
    const blocks = await readdir(home.blocks)
    for (const name of blocks) {
      const bytes = await readFile(join(home.blocks, name))
      bytes[7]! ^= 1
      await writeFile(join(home.blocks, name), bytes)
    }
    // Without the sealed round it has to stack it once more, from blocks that are all damaged.
    await rm(roundFiles(home, 1).folder, { recursive: true })

    run.startPeer(2, run.views[0]!.addresses)
    await run.untilSealed(2)
    assert.deepEqual(await readFile(roundFiles(home, 1).stack), stack)
    const digests = run.views.map(({ sealed }) => sealed.at(-1)!.modelDigest)
    for (const digest of digests) assert.equal(digest, digests[0])
    for (const name of blocks) assert.equal(sha256Hex(await readFile(join(home.blocks, name))), name)
  })
})
