import assert from 'node:assert/strict'
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { shardFromPair, updateNorm } from '../../../../src/adapter/index.ts'
import { lastNorms } from '../../../../src/node/driver/norm-bounds.ts'
import { type Home, roundFiles } from '../../../../src/node/home/home.ts'
import { openRoundStore, type RoundStore } from '../../../../src/node/home/round-store.ts'
import { BlockStore } from '../../../../src/node/storage/index.ts'
import { restoreNorms } from '../../../../src/node/upkeep/round-norms.ts'
import { memoryLog } from '../memory-log.ts'
import { type OneMember, oneMember, sealRound, smallPair } from '../one-member.ts'
import { temporaryHome } from '../temporary-home.ts'

describe('damaged norms of a round', () => {
  let home: Home
  let remove: () => Promise<void>
  let member: OneMember
  let rounds: RoundStore
  let store: BlockStore
  const log = memoryLog()

  beforeEach(async () => {
    ;({ home, remove } = await temporaryHome())
    member = await oneMember(home, 1, 2)
    rounds = await openRoundStore(home, member.charter)
    const context = rounds.head
    await rounds.save(
      context,
      sealRound(member, context, { stack: Buffer.alloc(32), model: Buffer.alloc(32) })
    )
    await writeFile(roundFiles(home, 1).norms, '{"a":')
    await mkdir(home.blocks, { recursive: true })
    for (const { digest, bytes } of shardFromPair(smallPair(member.charter)).blocks)
      await writeFile(join(home.blocks, digest), bytes)
    store = await BlockStore.open(home.folder, log)
    log.messages.length = 0
  })
  afterEach(() => remove())

  it('are moved aside, and recomputed from its blocks', async () => {
    assert.equal(await lastNorms(home, 2, log), undefined)
    await restoreNorms(home, rounds, store, log)
    const pair = smallPair(member.charter)
    const norm = updateNorm(pair, member.charter.charter.rankStabilised)
    assert.deepEqual(await lastNorms(home, 2, log), { [pair.module]: norm })
    assert.equal(await readFile(`${roundFiles(home, 1).norms}.damaged`, 'utf8'), '{"a":')
    assert.match(log.messages.join(), /computed again from its blocks/)
  })

  it('stay absent if its blocks are gone, and the peer still starts', async () => {
    assert.equal(await lastNorms(home, 2, log), undefined)
    await rm(home.blocks, { recursive: true })
    await mkdir(home.blocks)
    await restoreNorms(home, rounds, store, log)
    assert.equal(await lastNorms(home, 2, log), undefined)
    assert.match(log.messages.join(), /cannot be computed again/)
  })
})
