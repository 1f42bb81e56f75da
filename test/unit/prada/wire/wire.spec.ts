import assert from 'node:assert/strict'
import fc from 'fast-check'
import { createSeededRandom } from '../../../../src/data/order/seeded-random.ts'
import {
  gumbelNoise,
  type Precision,
  partialRow,
  reachedRanks,
  remoteRow
} from '../../../../src/prada/core/index.ts'
import {
  answerBytesMax,
  createAnswerReader,
  DIGEST_BYTES,
  decodeVerifyRequest,
  type Expectation,
  encodeAnswerHeader,
  encodeRecord,
  encodeVerifyRequest,
  type PositionRecord,
  type PositionRequest,
  type RemoteDraft,
  SESSION_BYTES,
  type SharedNoise,
  type VerifyRequest,
  WireError
} from '../../../../src/prada/wire/index.ts'
import { randomLogits } from '../arbitraries.ts'

const precisions = fc.constantFrom<Precision[]>('float16', 'float32')
const LIMITS = { vocabularySize: 300, tokens: 40 }

/** Records with the usual prototype, as decoders make them. */
function plainRecord<T>(model: { [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<T> {
  return fc.record<T>(model, { noNullPrototype: true })
}

const ascendingIds = fc
  .uniqueArray(fc.nat(LIMITS.vocabularySize - 1), { maxLength: 20 })
  .map((ids) => ids.sort((a, b) => a - b))
const positionRequests = fc.oneof(fc.constant<'row'>('row'), ascendingIds)

const requests: fc.Arbitrary<VerifyRequest> = fc
  .record({
    session: fc.uint8Array({ minLength: SESSION_BYTES, maxLength: SESSION_BYTES }),
    truncateAt: fc.nat(2 ** 24),
    ids: fc.array(fc.nat(LIMITS.vocabularySize - 1), { minLength: 1, maxLength: 30 }),
    precision: precisions,
    topK: fc.integer({ min: 1, max: 2 ** 22 }),
    firstTopK: fc.option(fc.integer({ min: 1, max: 2 ** 22 }), { nil: undefined }),
    firstSkip: fc.nat(2 ** 22),
    positions: fc.array(positionRequests, { minLength: 1, maxLength: 30 }),
    noise: fc.option(
      plainRecord({
        seed: fc.maxSafeNat(),
        stream: fc.nat(2 ** 32 - 1),
        temperature: fc.double({ min: 0.001, max: 100, noNaN: true }),
        drawn: fc.integer({ min: 1, max: 1_000 }),
        reach: fc.option(plainRecord({ perRank: fc.nat(100), most: fc.nat(2 ** 22) }), { nil: undefined })
      }).map(({ reach, ...rest }) => ({ ...rest, ...(reach && { reach }) })),
      { nil: undefined }
    ),
    draft: fc.option(
      plainRecord({
        count: fc.nat(10),
        settings: plainRecord({
          temperature: fc.double({ min: 0, max: 100, noNaN: true }),
          topP: fc.double({ min: 0.01, max: 1, noNaN: true }),
          minP: fc.double({ min: 0, max: 1, noNaN: true })
        }),
        seed: fc.maxSafeNat(),
        stream: fc.nat(2 ** 32 - 1),
        rows: fc.boolean()
      }),
      { nil: undefined }
    ),
    sameNoise: fc.boolean()
  })
  .map(({ draft, noise, firstTopK, firstSkip, sameNoise, ...rest }) => ({
    ...rest,
    positions: rest.positions.slice(0, rest.ids.length),
    ...(firstTopK !== undefined && { firstTopK }),
    ...(firstTopK !== undefined && firstSkip > 0 && firstSkip < firstTopK && { firstSkip }),
    ...(noise && { noise }),
    ...(draft && { draft: noise && sameNoise ? asNoise(draft, noise) : draft })
  }))

/** A draft drawn with the noise of the client's draws, as sessions request it. */
function asNoise(draft: RemoteDraft, { seed, stream, temperature }: SharedNoise): RemoteDraft {
  return { ...draft, settings: { ...draft.settings, temperature }, seed, stream }
}

describe('a request on the wire', () => {
  it('round-trips', () => {
    fc.assert(
      fc.property(requests, (request) => {
        assert.deepEqual(decodeVerifyRequest(encodeVerifyRequest(request), LIMITS), request)
      })
    )
  })

  it('is refused or is another request when damaged, without any other error', () => {
    fc.assert(
      fc.property(requests, fc.nat(), fc.nat(255), fc.nat(), (request, place, value, cut) => {
        const bytes = encodeVerifyRequest(request)
        bytes[place % bytes.length] = value
        for (const damaged of [bytes, bytes.slice(0, cut % (bytes.length + 1)), Uint8Array.of(...bytes, 0)])
          expectWireErrorOnly(() => {
            const read = decodeVerifyRequest(damaged, LIMITS)
            assert.ok(read.ids.every((id) => id < LIMITS.vocabularySize))
            assert.ok(read.positions.length <= read.ids.length && read.ids.length <= LIMITS.tokens)
          })
      }),
      { numRuns: 1_000 }
    )
  })

  it('is refused as random bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        expectWireErrorOnly(() => decodeVerifyRequest(bytes, LIMITS))
      })
    )
  })
})

interface Answer {
  readonly expected: Expectation
  readonly records: readonly PositionRecord[]
  readonly bytes: Uint8Array
}

function randomAnswer(seed: number, precision: Precision): Answer {
  const random = createSeededRandom(seed)
  const vocabularySize = 1 + (random.nextUint32() % 300)
  const topK = 1 + (random.nextUint32() % 12)
  const drafts = random.uniform() < 0.3 ? random.nextUint32() % 4 : 0
  const draftRows = random.uniform() < 0.3
  const positions = Array.from({ length: 1 + (random.nextUint32() % 5) }, (): PositionRequest => {
    if (random.uniform() < 0.3) return 'row'
    return Array.from({ length: vocabularySize }, (_, id) => id).filter(() => random.uniform() < 0.05)
  })
  const drawn = random.uniform() < 0.5 ? 1 + (random.nextUint32() % 12) : 0
  const reach = drawn > 0 && random.uniform() < 0.5 ? { perRank: 2, most: topK + 30 } : undefined
  const from = random.nextUint32() % 1_000
  const firstTopK = 1 + (random.nextUint32() % 12)
  const expected = {
    ...{ vocabularySize, topK, firstTopK, precision, positions, drafts, draftRows, drawn, from },
    ...(reach && { reach })
  }
  const records = Array.from({ length: positions.length + drafts }, (_, index): PositionRecord => {
    const row = remoteRow(randomLogits(random, vocabularySize, 5), vocabularySize, precision)
    const asked = positions[index] ?? (draftRows ? 'row' : [])
    const draw = { count: drawn, temperature: 0.8, noise: gumbelNoise(seed, index) }
    const reached = index > 0 && reach !== undefined
    const ranks = reached ? Math.min(vocabularySize, reachedRanks(row, topK, draw, reach)) : firstTopK
    const body =
      asked === 'row'
        ? ({ kind: 'row', row } as const)
        : ({
            kind: 'part',
            part: partialRow(row, {
              topK: index === 0 || reached ? ranks : topK,
              wanted: asked,
              ...(drawn > 0 && { draw })
            }),
            ...(reached && { ranks })
          } as const)
    return index >= positions.length - 1 && index < positions.length - 1 + drafts
      ? { ...body, draft: random.nextUint32() % vocabularySize }
      : body
  })
  const digest = Uint8Array.from({ length: DIGEST_BYTES }, () => random.nextUint32() % 256)
  const bytes = Buffer.concat([
    encodeAnswerHeader({ digest, from: expected.from }),
    ...records.map((record, index) =>
      encodeRecord(record, { ...expected, topK: index === 0 ? firstTopK : topK }, idsAsked(positions[index]))
    )
  ])
  return { expected, records, bytes: new Uint8Array(bytes) }
}

function idsAsked(position: PositionRequest | undefined): readonly number[] {
  return position === undefined || position === 'row' ? [] : position
}

/** A record whose known ids stand in ascending order: which list of the wire an id was in does not matter. */
function inOrder(record: PositionRecord): PositionRecord {
  if (record.kind === 'row') return record
  const { ids, values } = record.part
  const places = [...ids.keys()].sort((a, b) => ids[a]! - ids[b]!)
  const part = { ...record.part, ids: places.map((at) => ids[at]!), values: places.map((at) => values[at]!) }
  return { ...record, part }
}

describe('an answer on the wire', () => {
  it('is decoded from chunks of any size', () => {
    fc.assert(
      fc.property(fc.nat(2 ** 31), precisions, fc.integer({ min: 1, max: 50 }), (seed, precision, size) => {
        const { expected, records, bytes } = randomAnswer(seed, precision)
        assert.ok(bytes.length <= answerBytesMax(expected))
        const reader = createAnswerReader(expected)
        const read: PositionRecord[] = []
        for (let from = 0; from < bytes.length; from += size)
          read.push(...reader.push(bytes.subarray(from, from + size)))
        reader.end()
        assert.deepEqual(read.map(inOrder), records.map(inOrder))
      })
    )
  })

  it('is refused at its end when truncated', () => {
    fc.assert(
      fc.property(fc.nat(2 ** 31), precisions, fc.nat(), (seed, precision, cut) => {
        const { expected, bytes } = randomAnswer(seed, precision)
        const reader = createAnswerReader(expected)
        reader.push(bytes.subarray(0, cut % bytes.length))
        assert.throws(() => reader.end(), WireError)
      })
    )
  })

  it('is refused, or has values that a remote could have sent, when damaged', () => {
    fc.assert(
      fc.property(fc.nat(2 ** 31), precisions, fc.nat(), fc.nat(255), (seed, precision, place, value) => {
        const { expected, bytes } = randomAnswer(seed, precision)
        bytes[place % bytes.length] = value
        expectWireErrorOnly(() => {
          const reader = createAnswerReader(expected)
          const records = reader.push(bytes)
          reader.end()
          for (const record of records) {
            const values = record.kind === 'row' ? [...record.row] : record.part.values
            assert.ok(values.every((each) => each <= 0) && values.includes(0))
          }
        })
      }),
      { numRuns: 2_000 }
    )
  })

  it('is refused as random bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), fc.nat(1_000), (bytes, seed) => {
        const { expected } = randomAnswer(seed, 'float16')
        assert.throws(() => {
          const reader = createAnswerReader(expected)
          reader.push(bytes)
          reader.end()
        }, WireError)
      })
    )
  })

  const size = 8
  const expected: Expectation = {
    vocabularySize: size,
    topK: 2,
    precision: 'float32',
    positions: [[4]],
    from: 3
  }
  const header = encodeAnswerHeader({ digest: new Uint8Array(DIGEST_BYTES), from: 3 })
  const good = { ids: [1, 2, 4], values: [0, -1, -2], least: -1, tail: 0.25, drawn: 0 }
  const lies: Record<string, Partial<typeof good>> = {
    'no highest value': { values: [-1, -2, -3] },
    'an id told twice': { ids: [1, 1, 4] },
    'an id outside of the vocabulary': { ids: [1, 9, 4] },
    'more tail than the other ids can have': { tail: 5 * Math.exp(-1) + 0.01 },
    'a negative tail': { tail: -1 },
    'a tail that is no number': { tail: Number.NaN },
    'an endless tail': { tail: Number.POSITIVE_INFINITY },
    'a tail behind a last value without probability': {
      values: [0, Number.NEGATIVE_INFINITY, Number.NEGATIVE_INFINITY]
    }
  }
  const read = (bytes: Uint8Array): PositionRecord[] => {
    const reader = createAnswerReader(expected)
    const records = reader.push(new Uint8Array(Buffer.concat([header, bytes])))
    reader.end()
    return records
  }
  it('is accepted when it is consistent', () => {
    assert.deepEqual(read(encodeRecord({ kind: 'part', part: good }, expected, [4])), [
      { kind: 'part', part: good }
    ])
  })
  for (const [name, lie] of Object.entries(lies))
    it(`is refused: ${name}`, () => {
      const part = { ...good, ...lie }
      assert.throws(() => read(encodeRecord({ kind: 'part', part }, expected, [4])), WireError)
    })
  const unwritable: Record<string, Partial<typeof good>> = {
    'a value above the highest': { values: [0.5, -1, -2] },
    NaN: { values: [0, Number.NaN, -2] },
    'an asked id above the top': { values: [0, -1, -0.5] }
  }
  for (const [name, lie] of Object.entries(unwritable))
    it(`cannot be encoded with ${name}`, () => {
      const part = { ...good, ...lie }
      assert.throws(() => encodeRecord({ kind: 'part', part }, expected, [4]), RangeError)
    })
  it('is refused with a row of NaN, or of values above 0', () => {
    for (const value of [Number.NaN, 1]) {
      const row = new Float32Array(size).fill(-1).fill(0, 0, 1).fill(value, 3, 4)
      const bytes = encodeRecord({ kind: 'row', row }, expected, [])
      const reader = createAnswerReader({ ...expected, positions: ['row'] })
      assert.throws(() => reader.push(new Uint8Array([...header, ...bytes])), /log-probability is/)
    }
  })
  it('omits the ids that the client knows, and is shorter for it', () => {
    const row = remoteRow(randomLogits(createSeededRandom(5), 200, 3), 200, 'float16')
    const asking = { ...expected, vocabularySize: 200, precision: 'float16', positions: [[]] } as const
    const all = partialRow(row, { topK: 64 })
    const rest = partialRow(row, { topK: 64, skip: 16 })
    assert.deepEqual(rest, { ...all, ids: all.ids.slice(16), values: all.values.slice(16) })
    const whole = encodeRecord({ kind: 'part', part: all }, { ...asking, topK: 64 }, [])
    const short = encodeRecord({ kind: 'part', part: rest }, { ...asking, topK: 64, skip: 16 }, [])
    assert.ok(
      short.length < 0.85 * whole.length && whole.length < 64 * 2.5,
      `${short.length} of ${whole.length}`
    )
    const reader = createAnswerReader({ ...asking, firstTopK: 64, firstSkip: 16 })
    const [read] = reader.push(new Uint8Array([...header, ...short]))
    assert.deepEqual(read, { kind: 'part', part: rest })
  })
  it('is refused with another k, another position, or more records than requested', () => {
    const other = { ...expected, topK: 3 }
    assert.throws(() => read(encodeRecord({ kind: 'part', part: good }, other, [4])), /2 were asked for/)
    const reaching = { ...expected, drawn: 0, reach: { perRank: 1, most: 2 } }
    const reader3 = createAnswerReader(reaching)
    reader3.push(header)
    const three = encodeRecord({ kind: 'part', part: good }, other, [4])
    assert.throws(() => reader3.push(three), /3 ids, 2 were asked for/)
    const record = encodeRecord({ kind: 'part', part: good }, expected, [4])
    assert.throws(() => read(new Uint8Array([...record, ...record])), /follow the last record/)
    const reader = createAnswerReader({ ...expected, from: 4 })
    assert.throws(() => reader.push(header), /begins behind 3 tokens, not 4/)
  })
})

function expectWireErrorOnly(work: () => void): void {
  try {
    work()
  } catch (error) {
    assert.ok(error instanceof WireError, String(error))
  }
}
