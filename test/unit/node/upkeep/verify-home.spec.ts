import assert from 'node:assert/strict'
import { readFile, rm, writeFile } from 'node:fs/promises'
import { sha256Hex } from '../../../../src/formats/index.ts'
import { type Home, roundFiles } from '../../../../src/node/home/home.ts'
import { openRoundStore } from '../../../../src/node/home/round-store.ts'
import { verifyHome } from '../../../../src/node/upkeep/verify-home.ts'
import { listedDigest } from '../../formats/digest/listed-digest.ts'
import { type OneMember, oneMember, sealRound } from '../one-member.ts'
import { temporaryHome } from '../temporary-home.ts'

describe('verifying a home', () => {
  let home: Home
  let other: Home
  let removes: (() => Promise<void>)[]
  let member: OneMember

  beforeEach(async () => {
    const [one, two] = [await temporaryHome(), await temporaryHome()]
    home = one.home
    other = two.home
    removes = [one.remove, two.remove]
    member = await oneMember(home)
    await oneMember(other)
  })
  afterEach(() => Promise.all(removes.map((remove) => remove())))

  async function seal(model: string, at = home): Promise<string> {
    const store = await openRoundStore(at, member.charter)
    const context = store.head
    const digest = (text: string) => Buffer.from(sha256Hex(Buffer.from(text)), 'hex')
    const stack = `stack of ${model}`
    await store.save(
      context,
      sealRound(member, context, { stack: digest(stack), model: listedDigest(Buffer.from(model)) })
    )
    await writeFile(roundFiles(at, context.round).model, model)
    await writeFile(roundFiles(at, context.round).stack, stack)
    return Buffer.from(store.head.parent).toString('hex')
  }

  it('derives the digest of a whole history, of none, and of one as far as its files are kept', async () => {
    assert.deepEqual((await verifyHome(home)).rounds, 0)
    await seal('one')
    const last = await seal('two')
    const found = await verifyHome(home)
    assert.equal(found.wrong, null)
    assert.deepEqual([found.rounds, found.seal, found.filesChecked], [2, last, 2])
    assert.equal(found.modelDigest, listedDigest(Buffer.from('two')).toString('hex'))
    await rm(roundFiles(home, 1).model)
    assert.deepEqual([(await verifyHome(home)).wrong, (await verifyHome(home)).filesChecked], [null, 1])
  })

  it('names the first thing that is wrong: a seal, a gap, a stack, a model', async () => {
    for (const model of ['one', 'two', 'three']) await seal(model)
    const wrongAfter = async (path: string, change: () => Promise<unknown>) => {
      const kept = await readFile(path)
      await change()
      const { wrong } = await verifyHome(home)
      await writeFile(path, kept)
      return wrong
    }
    const { sealed, model, stack } = roundFiles(home, 2)
    assert.match((await wrongAfter(sealed, () => rm(sealed)))!.reason, /missing, but later rounds are there/)
    const flipped = await readFile(sealed)
    flipped[flipped.length >> 1]! ^= 1
    const damaged = await wrongAfter(sealed, () => writeFile(sealed, flipped))
    assert.match(damaged!.reason, /does not hold/)
    assert.equal(damaged!.round, 2)
    for (const path of [model, stack])
      assert.match((await wrongAfter(path, () => writeFile(path, 'other')))!.reason, /not what was sealed/)
    assert.equal((await verifyHome(home)).wrong, null)
  })

  it('holds a history against a trusted seal', async () => {
    const first = await seal('one')
    await seal('two')
    const check = async (round: number, seal: string) =>
      (await verifyHome(home, { trusted: { round, seal } })).wrong
    assert.equal(await check(1, first), null)
    assert.match((await check(2, first))!.reason, /not the trusted/)
    assert.match((await check(9, first))!.reason, /ends before/)
  })

  it('finds two histories of one consortium, and who signed both', async () => {
    await seal('one')
    await seal('one', other)
    assert.equal((await verifyHome(home, { against: other })).wrong, null)
    await seal('two')
    await seal('another two', other)
    const { wrong } = await verifyHome(home, { against: other })
    assert.equal(wrong!.round, 2)
    assert.deepEqual(wrong!.signedTwice, [member.identity.peerId])
    assert.match(wrong!.reason, /sealed twice/)
  })
})
