import assert from 'node:assert/strict'
import * as dagCbor from '@ipld/dag-cbor'
import fc from 'fast-check'
import { CID } from 'multiformats/cid'
import { sha256 } from 'multiformats/hashes/sha2'
import { digestOf, simulatedConsortium } from '../../../../sim/consortium/simulated-consortium.ts'
import {
  type Charter,
  charterId,
  checkCharter,
  consortiumCid,
  decodeCharter,
  encodeCharter
} from '../../../../src/protocol/charter/charter.ts'
import { compareBytes } from '../../../../src/protocol/encoding/bytes.ts'
import { encodeCanonical, MalformedError } from '../../../../src/protocol/encoding/canonical-cbor.ts'
import {
  createSigner,
  peerOf,
  type Signer,
  verifyEd25519
} from '../../../../src/protocol/encoding/signature.ts'

const signers = [1, 2, 3, 4]
  .map((number) => createSigner(new Uint8Array(32).fill(number)))
  .sort((left, right) => compareBytes(left.peer, right.peer))
const { charter: template } = simulatedConsortium(4).signed
const charter: Charter = {
  ...template,
  members: signers.map(({ peer }) => ({ peer, anchor: digestOf('anchor') }))
}
const file = encodeCharter(charter, signers.slice(0, 2))
const signature = new Uint8Array(64)

/** A file with this in the charter's place, under a signature that is never verified. */
function fileOf(value: unknown): Uint8Array {
  return encodeCanonical({ charter: value, signatures: [{ peer: signers[0]!.peer, signature }] })
}

describe('a charter', function () {
  this.timeout(60_000)

  it('round-trips, with its signers', () => {
    const read = decodeCharter(file, verifyEd25519)
    assert.deepEqual(read.charter, charter)
    assert.deepEqual(read.id, charterId(charter))
    assert.deepEqual(
      read.signatures.map(({ peer }) => peer),
      [signers[0]!.peer, signers[1]!.peer]
    )
  })

  it('has the CID that any IPLD tool computes, whoever signed it', async () => {
    const cid = CID.createV1(dagCbor.code, await sha256.digest(dagCbor.encode(charter)))
    assert.equal(consortiumCid(charterId(charter)), cid.toString())
    assert.deepEqual(
      decodeCharter(encodeCharter(charter, signers), verifyEd25519).id,
      decodeCharter(file, verifyEd25519).id
    )
  })

  it('may fix the weights of members: equal, or by member', () => {
    const [first, second] = signers.map(({ peer }) => peer) as [Uint8Array, Uint8Array]
    const stranger = createSigner(new Uint8Array(32).fill(9)).peer
    const accepted: Charter['weights'][] = [
      'uniform',
      [
        { peer: first, weight: 3 },
        { peer: second, weight: 2 ** 40 }
      ]
    ]
    for (const weights of accepted) {
      const read = checkCharter({ ...charter, weights })
      assert.deepEqual(read.weights, weights)
      assert.notDeepEqual(charterId(read), charterId(charter))
    }
    const refused: [unknown, RegExp][] = [
      ['samples', /weights/],
      [undefined, /DAG-CBOR/],
      [[], /weights/],
      [[{ peer: first, weight: 0 }], /weights/],
      [[{ peer: first, weight: 2 ** 40 + 1 }], /weights/],
      [[{ peer: first, weight: 1.5 }], /weights/],
      [[{ peer: stranger, weight: 1 }], /not a member/],
      [
        [
          { peer: second, weight: 1 },
          { peer: first, weight: 1 }
        ],
        /sorted/
      ],
      [
        [
          { peer: first, weight: 1 },
          { peer: first, weight: 1 }
        ],
        /sorted/
      ]
    ]
    for (const [weights, message] of refused)
      assert.throws(() => checkCharter({ ...charter, weights } as Charter), message)
  })

  it('is refused with any byte of its file changed', () => {
    for (let index = 0; index < file.length; index++) {
      const changed = Uint8Array.from(file)
      changed[index]! ^= 1 << (index % 8)
      assert.throws(() => decodeCharter(changed, verifyEd25519), MalformedError, `byte ${index}`)
    }
  })

  it('is refused as malformed when truncated, extended or random', () => {
    for (let length = 0; length < file.length; length += 7)
      assert.throws(() => decodeCharter(file.subarray(0, length), verifyEd25519), MalformedError)
    assert.throws(() => decodeCharter(Uint8Array.from([...file, 0]), verifyEd25519), MalformedError)
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        assert.throws(() => decodeCharter(bytes, verifyEd25519), MalformedError)
      }),
      { numRuns: 1000 }
    )
  })

  it('is refused as malformed with any other value in any of its fields', () => {
    const values = [
      null,
      true,
      -1,
      0.5,
      2 ** 53 - 1,
      'text',
      new Uint8Array(3),
      new Uint8Array(38),
      [],
      {},
      [{}]
    ]
    const replaceAt = (target: unknown, path: readonly string[], value: unknown): unknown => {
      const [key, ...rest] = path
      if (key === undefined) return value
      const copy = structuredClone(target) as Record<string, unknown>
      copy[key] = replaceAt(copy[key], rest, value)
      return copy
    }
    const pathsOf = (value: unknown): string[][] =>
      value === null || typeof value !== 'object' || value instanceof Uint8Array
        ? [[]]
        : [[], ...Object.entries(value).flatMap(([key, part]) => pathsOf(part).map((path) => [key, ...path]))]
    for (const path of pathsOf(charter)) {
      for (const value of values)
        assert.throws(
          () => decodeCharter(fileOf(replaceAt(charter, path, value)), verifyEd25519),
          MalformedError,
          path.join('.')
        )
    }
  })

  it('refuses members that are unsorted, repeated, or have a key of small order', () => {
    const [first, second, third, fourth] = charter.members as [Member, Member, Member, Member]
    const small = [
      '0100000000000000000000000000000000000000000000000000000000000000',
      'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
      '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85',
      'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff'
    ].map((key) => ({ peer: peerOf(Buffer.from(key, 'hex')), anchor: first.anchor }))
    assert.throws(() => checkCharter({ ...charter, members: [second, first, third, fourth] }), /sorted/)
    assert.throws(() => checkCharter({ ...charter, members: [first, first, third, fourth] }), /each once/)
    for (const member of small)
      assert.throws(() => checkCharter({ ...charter, members: [member] }), /key of small order/)
  })

  it('clips to the median, or omits the field', () => {
    const { clip: _, ...plain } = charter
    assert.equal(checkCharter(plain).clip, undefined)
    const clipped = checkCharter({ ...plain, clip: 'median' })
    assert.equal(clipped.clip, 'median')
    assert.notDeepEqual(charterId(clipped), charterId(plain))
    assert.throws(() => checkCharter({ ...plain, clip: 'none' } as unknown as Charter), /clip/)
  })

  it('refuses numbers that make manifest sizes inexact, and values that DAG-CBOR cannot encode', () => {
    const [module] = charter.base.modules
    const wide = { ...charter.base, modules: [{ ...module!, inFeatures: 2 ** 52 }] }
    assert.throws(() => checkCharter({ ...charter, rank: { min: 1, max: 2 ** 50 } }), MalformedError)
    assert.throws(() => checkCharter({ ...charter, base: wide }), MalformedError)
    assert.throws(
      () => checkCharter({ ...charter, norm: { factor: Number.NaN, absolute: 1 } }),
      MalformedError
    )
    assert.throws(
      () => checkCharter({ ...charter, trainers: charter.members.length + 1 }),
      /larger than the number of members/
    )
    assert.throws(() => checkCharter({ ...charter, minShards: 5 }), /larger than the number of members/)
  })

  it('needs the signature of a member, and accepts one of each', () => {
    const stranger = createSigner(new Uint8Array(32).fill(9))
    assert.throws(() => encodeCharter(charter, []), MalformedError)
    assert.throws(() => encodeCharter(charter, [stranger]), /not a member/)
    assert.throws(() => encodeCharter(charter, [signers[0]!, signers[0]!]), /one per member/)
    const forger: Signer = { peer: signers[0]!.peer, sign: (message) => stranger.sign(message) }
    assert.throws(() => decodeCharter(encodeCharter(charter, [forger]), verifyEd25519), /is not valid/)
  })
})

type Member = Charter['members'][number]
