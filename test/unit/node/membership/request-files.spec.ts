import assert from 'node:assert/strict'
import type { Home } from '../../../../src/node/home/home.ts'
import { identityFromSeed } from '../../../../src/node/home/identity.ts'
import {
  decodeWish,
  drawUpRequest,
  encodeWish,
  loadWishes,
  removeWish,
  saveWish,
  standingOf
} from '../../../../src/node/membership/request-files.ts'
import {
  genesisContext,
  type RoundContext,
  requestFault,
  verifyEd25519
} from '../../../../src/protocol/index.ts'
import { oneMember } from '../one-member.ts'
import { temporaryHome } from '../temporary-home.ts'

describe('membership files', () => {
  let home: Home
  let remove: () => Promise<void>
  let head: RoundContext

  beforeEach(async () => {
    ;({ home, remove } = await temporaryHome())
    head = genesisContext((await oneMember(home)).charter)
  })
  afterEach(() => remove())

  const asked = async () => {
    const { peerId, revealChain, signer } = await identityFromSeed(new Uint8Array(32).fill(77))
    const wanted = { type: 'join', peerId, anchor: revealChain.anchor } as const
    return drawUpRequest(wanted, standingOf(head), head.charterId, signer)
  }

  it('carry a request from the candidate to the members, and it can take effect there', async () => {
    const wish = await asked()
    const read = decodeWish(encodeWish(wish, head.charterId), head.charterId, 'request.json')
    assert.equal(requestFault(head, read.request, read.own, verifyEd25519), undefined)
    await saveWish(home, head, read)
    const [loaded] = (await loadWishes(home, head.charterId)).values()
    assert.equal(encodeWish(loaded!, head.charterId), encodeWish(wish, head.charterId))
    await removeWish(home, head.charterId, wish)
    assert.equal((await loadWishes(home, head.charterId)).size, 0)
  })

  it('refuse what is none, of another consortium, or too old', async () => {
    const wish = await asked()
    const text = encodeWish(wish, head.charterId)
    assert.throws(() => decodeWish('{}', head.charterId, 'x.json'), /no membership request/)
    assert.throws(() => decodeWish(text, new Uint8Array(32), 'x.json'), /another consortium/)
    await assert.rejects(saveWish(home, { ...head, round: 99 }, wish), /expired/)
    const changed = decodeWish(text.replace(/"expiry": \d+/, '"expiry": 90'), head.charterId, 'x.json')
    await assert.rejects(saveWish(home, head, changed), /not valid/)
  })
})
