import assert from 'node:assert/strict'
import type { Home } from '../../../../src/node/home/home.ts'
import { identityFromSeed } from '../../../../src/node/home/identity.ts'
import {
  decodeRequest,
  drawUpRequest,
  encodeRequest,
  loadRequests,
  removeRequest,
  saveRequest,
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

  it('carry a request from the candidate to the members, where it can take effect', async () => {
    const signedRequest = await asked()
    const read = decodeRequest(encodeRequest(signedRequest, head.charterId), head.charterId, 'request.json')
    assert.equal(requestFault(head, read.request, read.own, verifyEd25519), undefined)
    await saveRequest(home, head, read)
    const [loaded] = (await loadRequests(home, head.charterId)).values()
    assert.equal(encodeRequest(loaded!, head.charterId), encodeRequest(signedRequest, head.charterId))
    await removeRequest(home, head.charterId, signedRequest)
    assert.equal((await loadRequests(home, head.charterId)).size, 0)
  })

  it('refuse files that are invalid, of another consortium, or too old', async () => {
    const signedRequest = await asked()
    const text = encodeRequest(signedRequest, head.charterId)
    assert.throws(() => decodeRequest('{}', head.charterId, 'x.json'), /not a membership request/)
    assert.throws(() => decodeRequest(text, new Uint8Array(32), 'x.json'), /another consortium/)
    await assert.rejects(saveRequest(home, { ...head, round: 99 }, signedRequest), /expired/)
    const changed = decodeRequest(text.replace(/"expiry": \d+/, '"expiry": 90'), head.charterId, 'x.json')
    await assert.rejects(saveRequest(home, head, changed), /not valid/)
  })
})
