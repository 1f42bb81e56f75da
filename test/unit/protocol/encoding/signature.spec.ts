import assert from 'node:assert/strict'
import fc from 'fast-check'
import {
  createSigner,
  peerOf,
  publicKeyOf,
  verifyEd25519
} from '../../../../src/protocol/encoding/signature.ts'

const signer = createSigner(new Uint8Array(32).fill(5))
const message = new TextEncoder().encode('a message')

describe('signature verification (rule 18)', () => {
  it('accepts a signature of RFC 8032, and signing is deterministic', () => {
    const seed = Buffer.from('9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60', 'hex')
    const known = createSigner(seed)
    assert.equal(
      Buffer.from(publicKeyOf(known.peer)!).toString('hex'),
      'd75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a'
    )
    assert.equal(
      Buffer.from(known.sign(new Uint8Array())).toString('hex'),
      'e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b'
    )
    assert.deepEqual(signer.sign(message), signer.sign(message))
    assert.ok(verifyEd25519(signer.peer, message, signer.sign(message)))
  })

  it('refuses every flipped bit of the signature, and other messages', () => {
    const signature = signer.sign(message)
    for (let bit = 0; bit < 512; bit++) {
      const changed = Uint8Array.from(signature)
      changed[bit >> 3]! ^= 1 << (bit & 7)
      assert.ok(!verifyEd25519(signer.peer, message, changed), `bit ${bit}`)
    }
    assert.ok(!verifyEd25519(signer.peer, message.subarray(1), signature))
  })

  it('refuses s + L, which a careless verifier would accept', () => {
    const L = 2n ** 252n + 27742317777372353535851937790883648493n
    const signature = signer.sign(message)
    let s = 0n
    for (let index = 63; index >= 32; index--) s = s * 256n + BigInt(signature[index]!)
    const changed = Uint8Array.from(signature)
    for (let index = 32, rest = s + L; index < 64; index++, rest /= 256n) changed[index] = Number(rest % 256n)
    assert.ok(!verifyEd25519(signer.peer, message, changed))
  })

  it('never throws, and accepts nothing under a key of small order', () => {
    const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length })
    fc.assert(
      fc.property(bytes(32), bytes(64), (key, signature) => {
        assert.equal(verifyEd25519(peerOf(key), message, signature), false)
        assert.equal(verifyEd25519(key, message, signature), false)
        assert.equal(verifyEd25519(peerOf(key), message, signature.subarray(1)), false)
      }),
      { numRuns: 300 }
    )
    // Under the neutral element R = B·s = 0 fits any message.
    const neutral = Uint8Array.from({ length: 32 }, (_, index) => (index === 0 ? 1 : 0))
    const forged = Uint8Array.from([...neutral, ...new Uint8Array(32)])
    assert.equal(verifyEd25519(peerOf(neutral), message, forged), false)
  })
})
