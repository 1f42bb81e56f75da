import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { sha256Hex } from '../../../../src/formats/index.ts'
import { roundFiles } from '../../../../src/node/home/home.ts'
import { openRoundStore } from '../../../../src/node/home/round-store.ts'
import { BlockStore } from '../../../../src/node/storage/index.ts'
import { prune, type SealedRounds } from '../../../../src/node/upkeep/prune.ts'
import { listedDigest } from '../../formats/digest/listed-digest.ts'
import { memoryLog } from '../memory-log.ts'
import { oneMember, sealRound } from '../one-member.ts'
import { temporaryHome } from '../temporary-home.ts'

const LATER = Date.now() + 2 * 3_600_000

/** The pruning defaults: new blocks are kept for an hour, stacks for ever. */
const terms = (inUse: string[], now: number, keepStacks?: number) => ({
  inUse: new Set(inUse),
  now,
  keepYoungMs: 3_600_000,
  keepStacks
})

describe('pruning', () => {
  it('removes what nobody can ask for, and keeps every seal and the latest model', async () => {
    const { home, remove } = await temporaryHome()
    const member = await oneMember(home)
    const model = Buffer.from('the model')
    for (let round = 1; round <= 4; round++) {
      const store = await openRoundStore(home, member.charter)
      const digests = { stack: Buffer.alloc(32, round), model: listedDigest(model) }
      await store.save(store.head, sealRound(member, store.head, digests))
      for (const path of [roundFiles(home, round).model, roundFiles(home, round).stack])
        await writeFile(path, model)
    }
    const blocks = await BlockStore.open(home.folder, memoryLog())
    const put = async (text: string) => {
      await blocks.put(sha256Hex(Buffer.from(text)), Buffer.from(text))
      return sha256Hex(Buffer.from(text))
    }
    const [stray, used] = [await put('stray'), await put('in use')]
    const store = await openRoundStore(home, member.charter)
    const retaining = (retain: number): SealedRounds => ({
      modelRound: store.modelRound,
      owed: () => store.owed(),
      head: { ...store.head, charter: { ...store.head.charter, retain } }
    })
    assert.deepEqual(await prune(home, blocks, retaining(2), terms([used], Date.now())), {
      blocks: 0,
      files: 2
    })
    assert.deepEqual(await blocks.list(), [stray, used].sort(), 'new blocks may still be needed')
    assert.deepEqual(await prune(home, blocks, retaining(2), terms([used], LATER)), { blocks: 1, files: 0 })
    assert.deepEqual(await blocks.list(), [used])
    for (const round of [1, 2, 3, 4]) {
      for (const kept of [roundFiles(home, round).sealed, roundFiles(home, round).stack])
        assert.ok(existsSync(kept))
      assert.equal(existsSync(roundFiles(home, round).model), round > 2)
    }
    assert.equal((await openRoundStore(home, member.charter)).head.round, 5)
    await prune(home, blocks, retaining(2), terms([used], LATER, 3))
    for (const round of [1, 2, 3, 4]) assert.equal(existsSync(roundFiles(home, round).stack), round > 1)
    await remove()
  })
})
