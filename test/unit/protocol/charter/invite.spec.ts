import assert from 'node:assert/strict'
import { digestOf, simulatedConsortium } from '../../../../sim/consortium/simulated-consortium.ts'
import { encodeCharter } from '../../../../src/protocol/charter/charter.ts'
import { decodeInvite, encodeInvite } from '../../../../src/protocol/charter/invite.ts'
import { createSigner, verifyEd25519 } from '../../../../src/protocol/encoding/signature.ts'

const signerOf = (index: number | 'outsider') => createSigner(digestOf(`key ${index}`))
const { signed, signers } = simulatedConsortium(4, {}, signerOf)
const charter = encodeCharter(signed.charter, signers)
const terms = {
  charter,
  round: 3,
  seal: digestOf('seal'),
  model: digestOf('model'),
  bootstrap: ['/ip4/192.0.2.7/tcp/4001/p2p/12D3KooW'],
  expires: 2_000_000_000
}
const bytes = encodeInvite(terms, signers[1]!)

describe('an invite', () => {
  it('contains what its member signed, with the charter', () => {
    const {
      signedCharter,
      signature: _signature,
      ...told
    } = { signature: 0, ...decodeInvite(bytes, verifyEd25519) }
    assert.deepEqual(told, { version: 1, ...terms, charter: told.charter, inviter: signers[1]!.peer })
    assert.deepEqual(Buffer.from(told.charter), Buffer.from(charter))
    assert.deepEqual(signedCharter.id, signed.id)
  })

  it('is refused with any byte changed, removed or added', () => {
    for (let at = 0; at < bytes.length; at += 7) {
      const changed = Uint8Array.from(bytes)
      changed[at]! ^= 1
      assert.throws(() => decodeInvite(changed, verifyEd25519), { name: 'MalformedError' })
    }
    assert.throws(() => decodeInvite(bytes.subarray(0, -1), verifyEd25519), { name: 'MalformedError' })
    assert.throws(() => decodeInvite(Uint8Array.from([...bytes, 0]), verifyEd25519), {
      name: 'MalformedError'
    })
  })

  it('is refused before the first round when signed by a stranger to the charter', () => {
    const first = { ...terms, round: 0 }
    assert.equal(decodeInvite(encodeInvite(first, signers[2]!), verifyEd25519).round, 0)
    assert.throws(() => decodeInvite(encodeInvite(first, signerOf('outsider')), verifyEd25519), {
      name: 'MalformedError',
      message: /not one of the charter's members/
    })
    // Later a member may have joined that is not in the charter.
    assert.equal(decodeInvite(encodeInvite(terms, signerOf('outsider')), verifyEd25519).round, 3)
  })

  it('is refused with an unsigned charter, even if the invite is signed', () => {
    const other = encodeInvite({ ...terms, charter: Uint8Array.from(charter).fill(1, 40, 50) }, signers[1]!)
    assert.throws(() => decodeInvite(other, verifyEd25519), { name: 'MalformedError' })
  })
})
