import assert from 'node:assert/strict'
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { shardFromPair, updateNorm } from '../../../../src/adapter/index.ts'
import { sha256Hex } from '../../../../src/formats/index.ts'
import { type Home, roundFiles } from '../../../../src/node/home/home.ts'
import { openMessageLog } from '../../../../src/node/home/message-log.ts'
import { openRoundStore } from '../../../../src/node/home/round-store.ts'
import { verifyHome } from '../../../../src/node/upkeep/verify-home.ts'
import { listedDigest } from '../../formats/digest/listed-digest.ts'
import { type OneMember, oneMember, sealRound, smallPair } from '../one-member.ts'
import { temporaryHome } from '../temporary-home.ts'

/** Rounds for which blocks and models are kept. */
const RETAIN = 2

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
    member = await oneMember(home, 1, RETAIN)
    await oneMember(other, 1, RETAIN)
    for (const { writeAheadLog } of [home, other]) {
      const log = await openMessageLog(writeAheadLog)
      await log.append({ type: 'silent', through: 0 })
      await log.append({ type: 'silent', through: 1 })
      await log.close()
    }
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
    const pair = smallPair(member.charter)
    const norms = { [pair.module]: updateNorm(pair, member.charter.charter.rankStabilised) }
    await writeFile(roundFiles(at, context.round).norms, JSON.stringify(norms))
    await mkdir(at.blocks, { recursive: true })
    for (const { digest, bytes } of shardFromPair(pair).blocks)
      await writeFile(join(at.blocks, digest), bytes)
    return Buffer.from(store.head.parent).toString('hex')
  }

  it('derives the digest of a complete history, of an empty one, and as far as files are kept', async () => {
    assert.deepEqual((await verifyHome(home)).rounds, 0)
    await seal('one')
    const last = await seal('two')
    const found = await verifyHome(home)
    assert.equal(found.wrong, null)
    assert.deepEqual([found.rounds, found.seal, found.filesChecked], [2, last, 2])
    assert.equal(found.modelDigest, listedDigest(Buffer.from('two')).toString('hex'))
    assert.deepEqual(found.files.checked, { stacks: 2, models: 2, norms: 2, blocks: 1 })
    assert.equal(found.files.logRecords, 2)
  })

  it('counts apart what pruning removed, and what a round that was not built here never had', async () => {
    for (const model of ['one', 'two', 'three', 'four']) await seal(model)
    await rm(roundFiles(home, 1).model)
    for (const path of [roundFiles(home, 2).stack, roundFiles(home, 2).norms]) await rm(path)
    const { wrong, files, filesChecked } = await verifyHome(home)
    assert.deepEqual([wrong, filesChecked, files.missing], [null, 2, []])
    assert.deepEqual(files.absent, { stacks: 1, models: 1, norms: 1, blocks: 0 })
    assert.deepEqual(files.checked, { stacks: 3, models: 3, norms: 3, blocks: 1 })
  })

  it('fails if a file is missing that pruning does not remove, and names it', async () => {
    for (const model of ['one', 'two', 'three', 'four']) await seal(model)
    const block = join(home.blocks, (await readdir(home.blocks))[0]!)
    const [first, third, last] = [roundFiles(home, 1), roundFiles(home, 3), roundFiles(home, 4)]
    for (const path of [first.stack, first.norms, third.model, last.model, block, home.writeAheadLog]) {
      const kept = await readFile(path)
      await rm(path)
      const { wrong, files } = await verifyHome(home)
      assert.deepEqual(files.missing, [path])
      assert.deepEqual([wrong!.round, wrong!.reason], [null, `${path} is missing`])
      await writeFile(path, kept)
    }
    for (const path of [last.stack, last.norms, last.model]) await rm(path)
    assert.deepEqual((await verifyHome(home)).files.missing, [last.model])
  })

  it('fails with altered norms, blocks or logs', async () => {
    for (const model of ['one', 'two', 'three', 'four']) await seal(model)
    const block = join(home.blocks, (await readdir(home.blocks))[0]!)
    const { norms } = roundFiles(home, 4)
    const changes: [string, (bytes: Buffer) => Uint8Array, RegExp][] = [
      [norms, (bytes) => Buffer.from(bytes.toString().replace(/:/, ':1000')), /blocks come to/],
      [norms, () => Buffer.from('{"a":'), /holds no norms/],
      [norms, () => Buffer.from('{}'), /no norm for/],
      [block, (bytes) => bytes.fill(7, 0, 1), /a block of round 3, is damaged/],
      [home.writeAheadLog, (bytes) => bytes.fill(7, 22, 23), /damaged at byte 8/],
      [home.writeAheadLog, (bytes) => bytes.fill(7, bytes.length - 1), /not a complete record/]
    ]
    for (const [path, change, reason] of changes) {
      const kept = await readFile(path)
      await writeFile(path, change(Buffer.from(kept)))
      assert.match((await verifyHome(home)).wrong!.reason, reason)
      // A check repairs nothing.
      assert.notDeepEqual(await readFile(path), kept)
      await writeFile(path, kept)
    }
    assert.equal((await verifyHome(home)).wrong, null)
  })

  it('names the first fault: a seal, a gap, a stack, a model', async () => {
    for (const model of ['one', 'two', 'three']) await seal(model)
    const wrongAfter = async (path: string, change: () => Promise<unknown>) => {
      const kept = await readFile(path)
      await change()
      const { wrong } = await verifyHome(home)
      await writeFile(path, kept)
      return wrong
    }
    const { sealed, model, stack } = roundFiles(home, 2)
    assert.match((await wrongAfter(sealed, () => rm(sealed)))!.reason, /missing, but later rounds exist/)
    const flipped = await readFile(sealed)
    flipped[flipped.length >> 1]! ^= 1
    const damaged = await wrongAfter(sealed, () => writeFile(sealed, flipped))
    assert.match(damaged!.reason, /is invalid/)
    assert.equal(damaged!.round, 2)
    for (const path of [model, stack])
      assert.match((await wrongAfter(path, () => writeFile(path, 'other')))!.reason, /differs from its seal/)
    assert.equal((await verifyHome(home)).wrong, null)
  })

  it('checks a history against a trusted seal', async () => {
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
