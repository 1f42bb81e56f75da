import assert from 'node:assert/strict'
import { createInstance, isValidProof, isYounger } from '../../../../../src/node/network/peers/instance.ts'
import { createSigner } from '../../../../../src/protocol/index.ts'

const signer = createSigner(new Uint8Array(32).fill(1))
const charter = new Uint8Array(32).fill(2)

describe('an instance of an identity', () => {
  const one = createInstance(signer, charter)
  const other = createInstance(signer, charter)

  it('differs from another with the same key, and proves that it has heard of it', () => {
    assert.notDeepEqual(one.id, other.id)
    const proof = one.prove(other.id)
    assert(isValidProof(signer.peer, charter, proof))
    assert(!isValidProof(signer.peer, new Uint8Array(32), proof), 'of another consortium')
    assert(!isValidProof(createSigner(new Uint8Array(32)).peer, charter, proof), 'of another key')
    assert(!isValidProof(signer.peer, charter, { ...proof, other: one.id }), 'of another instance')
    assert(!isValidProof(signer.peer, charter, one.prove(one.id)), 'about itself')
  })

  it('stops if the other has been running for longer, with the id as the tie-break', () => {
    const proof = (ageMs: number) => ({ ...other.prove(one.id), ageMs })
    const own = (ageMs: number) => ({ id: one.id, ageMs: () => ageMs })
    assert(isYounger(own(1_000), proof(60_000)))
    assert(!isYounger(own(60_000), proof(1_000)))
    // A late proof makes its signer look younger than it is.
    assert(isYounger(own(10_000), proof(60_000)))
    const [left, right] = [one, other].map(({ id }) => ({ id, ageMs: () => 5_000 }))
    assert.notEqual(
      isYounger(left!, { ...other.prove(one.id), ageMs: 4_900 }),
      isYounger(right!, { ...one.prove(other.id), ageMs: 4_900 }),
      'of two that began together exactly one stops'
    )
  })
})
