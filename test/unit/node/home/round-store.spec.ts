import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { type Home, roundFiles } from '../../../../src/node/home/home.ts'
import {
  openRoundStore,
  readSealedRounds,
  requireSealedModel
} from '../../../../src/node/home/round-store.ts'
import { PeerError } from '../../../../src/node/storage/peer-error.ts'
import { listedDigest } from '../../formats/digest/listed-digest.ts'
import { memoryLog } from '../memory-log.ts'
import { type OneMember, oneMember, sealRound } from '../one-member.ts'
import { temporaryHome } from '../temporary-home.ts'

const MODEL_BYTES = Buffer.from('the merged modules of round 1')

describe('the round store', () => {
  let home: Home
  let remove: () => Promise<void>
  let member: OneMember

  beforeEach(async () => {
    ;({ home, remove } = await temporaryHome())
    member = await oneMember(home)
  })
  afterEach(() => remove())

  /** Seals a round in the home, with a model file that has the sealed digest. */
  const sealNext = async (model = MODEL_BYTES) => {
    const store = await openRoundStore(home, member.charter)
    const context = store.head
    const stack = Buffer.alloc(32, context.round)
    const digests = { stack, model: listedDigest(model) }
    await store.save(context, sealRound(member, context, digests))
    await writeFile(roundFiles(home, context.round).model, model)
    return store
  }

  it('advances after each saved round, also when reopened', async () => {
    const store = await openRoundStore(home, member.charter)
    assert.deepEqual([store.head.round, store.modelFile], [1, undefined])
    assert.equal(await store.sealedBytes(1), undefined)
    const { head } = await sealNext()
    assert.equal(head.round, 2)
    await sealNext(Buffer.from('another model'))
    const again = await openRoundStore(home, member.charter)
    assert.equal(again.head.round, 3)
    assert.equal(again.modelFile, roundFiles(home, 2).model)
    assert.equal((await readSealedRounds(home, member.charter)).length, 2)
    assert((await again.sealedBytes(1))!.length > 0)
  })

  it('refuses a sealed round with any byte changed, and leaves it unchanged', async () => {
    await sealNext()
    const path = roundFiles(home, 1).sealed
    const bytes = await readFile(path)
    for (let at = 0; at < bytes.length; at += 97) {
      const changed = Buffer.from(bytes)
      changed[at]! ^= 1
      await writeFile(path, changed)
      await assert.rejects(openRoundStore(home, member.charter), (error: Error) => {
        assert(error instanceof PeerError, `byte ${at}: ${error}`)
        assert.match(error.message, /rounds.1.sealed\.cbor is invalid .*move it away/)
        return true
      })
      assert.deepEqual(await readFile(path), changed)
    }
    for (const garbage of ['', 'garbage']) {
      await writeFile(path, garbage)
      await assert.rejects(openRoundStore(home, member.charter), PeerError)
    }
  })

  it('refuses the seal of another consortium', async () => {
    await sealNext()
    const other = await temporaryHome()
    const charter = (await oneMember(other.home, 2)).charter
    await mkdir(roundFiles(other.home, 1).folder)
    await writeFile(roundFiles(other.home, 1).sealed, await readFile(roundFiles(home, 1).sealed))
    await assert.rejects(openRoundStore(other.home, charter), PeerError)
    await other.remove()
  })

  it('detects a changed model; a missing one is fetched later', async () => {
    const store = await sealNext()
    const log = memoryLog()
    await requireSealedModel(store, log)
    assert.deepEqual(log.messages, [])
    const path = roundFiles(home, 1).model
    await writeFile(path, 'another')
    await requireSealedModel(store, log)
    assert.match(
      log.messages.at(-1)!,
      /a model file differs from its seal: it is fetched from another member/
    )
    assert(!existsSync(path), 'it is put aside')
    await requireSealedModel(store, log)
    assert.equal(log.messages.length, 1)
  })
})
