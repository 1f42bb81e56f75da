import assert from 'node:assert/strict'
import { createFairQueue } from '../../../../src/prada/server/fair-queue.ts'
import type { LogitsService, ServiceFault } from '../../../../src/prada/server/index.ts'
import {
  createAnswerReader,
  encodeVerifyRequest,
  type VerifyRequest
} from '../../../../src/prada/wire/index.ts'
import { serviceOf } from '../small-remote.ts'
import { randomTable, tableModel } from '../table-model.ts'

const SIZE = 20
const model = () => tableModel(randomTable(1, SIZE, 2), SIZE, 100)
const never = new AbortController().signal

function request(session: string, part: Partial<VerifyRequest> = {}): Uint8Array {
  return encodeVerifyRequest({
    session: Buffer.from(session, 'hex'),
    truncateAt: 0,
    ids: [1, 2, 3],
    precision: 'float16',
    topK: 4,
    positions: [[]],
    ...part
  })
}

async function answerOf(
  service: LogitsService,
  client: string,
  bytes: Uint8Array,
  signal = never
): Promise<Buffer> {
  const pieces: Uint8Array[] = []
  for await (const piece of service.verify(client, bytes, signal)) pieces.push(piece)
  return Buffer.concat(pieces)
}

function faultIs(fault: ServiceFault): (error: unknown) => boolean {
  return (error) => {
    assert.equal((error as { fault?: string }).fault, fault, String(error))
    return true
  }
}

describe('the logits service', () => {
  it('answers a repeated request identically, and rewinds on request', async () => {
    const service = serviceOf(model())
    const { session } = service.open('a', SIZE)
    const first = await answerOf(service, 'a', request(session))
    assert.deepEqual(await answerOf(service, 'a', request(session)), first)
    const behind = request(session, { truncateAt: 3, ids: [4, 5], positions: [[], [7, 9]] })
    const second = await answerOf(service, 'a', behind)
    assert.deepEqual(await answerOf(service, 'a', behind), second)
    const reader = createAnswerReader({
      vocabularySize: SIZE,
      topK: 4,
      precision: 'float16',
      positions: [[], [7, 9]],
      from: 4
    })
    const [, last] = reader.push(second)
    assert.ok(last?.kind === 'part' && last.part.ids.includes(7) && last.part.ids.includes(9))
  })

  it('refuses unsupported and malformed requests', async () => {
    const service = serviceOf(model(), { rows: false, topKMax: 5, wantedMax: 2, tokensPerRequest: 50 })
    const { session } = service.open('a', SIZE)
    const refused: [Partial<VerifyRequest>, ServiceFault][] = [
      [{ positions: ['row'] }, 'refused'],
      [{ topK: 6 }, 'refused'],
      [{ noise: { seed: 1, stream: 0, temperature: 1, drawn: 6 } }, 'refused'],
      [{ positions: [[1, 2, 3]] }, 'refused'],
      [{ truncateAt: 1 }, 'unknown-session'],
      [{ ids: Array.from({ length: 51 }, () => 1) }, 'malformed'],
      [{ ids: [SIZE] }, 'malformed'],
      [{ draft: { count: 48, settings: { temperature: 1 }, seed: 1, stream: 0, rows: false } }, 'malformed']
    ]
    for (const [part, fault] of refused)
      await assert.rejects(answerOf(service, 'a', request(session, part)), faultIs(fault))
    await assert.rejects(answerOf(service, 'a', new Uint8Array(3)), faultIs('malformed'))
    await assert.rejects(answerOf(service, 'a', new Uint8Array(300_000)), faultIs('too-large'))
    const long = request(session, { ids: Array.from({ length: 50 }, () => 1) })
    await answerOf(service, 'a', long)
    const rest = request(session, { truncateAt: 50, ids: Array.from({ length: 50 }, () => 1) })
    await answerOf(service, 'a', rest)
    await assert.rejects(
      answerOf(service, 'a', request(session, { truncateAt: 100, ids: [1] })),
      /longer than the context of 100/
    )
    assert.throws(() => service.open('a', SIZE + 1), faultIs('refused'))
    await answerOf(service, 'a', request(session))
  })

  it('keeps the sessions of clients apart', async () => {
    const service = serviceOf(model())
    const { session } = service.open('a', SIZE)
    await assert.rejects(answerOf(service, 'b', request(session)), faultIs('unknown-session'))
    assert.throws(() => service.close('b', session), faultIs('unknown-session'))
    await answerOf(service, 'a', request(session))
  })

  it('forgets unused sessions, and then has room again', async () => {
    let time = 0
    const service = serviceOf(model(), { sessions: 2, sessionsPerClient: 1, expiryMs: 1_000 }, () => time)
    const { session } = service.open('a', SIZE)
    service.open('b', SIZE)
    assert.throws(() => service.open('a', SIZE), faultIs('busy'))
    assert.throws(() => service.open('c', SIZE), faultIs('full'))
    time = 999
    await answerOf(service, 'a', request(session))
    time = 1_500
    service.open('c', SIZE)
    assert.equal(service.load.sessions, 2)
    await answerOf(service, 'a', request(session))
    time = 2_500
    await assert.rejects(answerOf(service, 'a', request(session)), faultIs('unknown-session'))
    service.sweep()
    assert.deepEqual(service.load, { sessions: 0, cachedTokens: 0, requests: 0 })
    const again = service.open('a', SIZE)
    service.close('a', again.session)
    assert.equal(service.load.sessions, 0)
  })

  it('bounds cached tokens, and positions per client and minute', async () => {
    let time = 0
    const service = serviceOf(model(), { cachedTokens: 10, positionsPerMinute: 60 }, () => time)
    const { session } = service.open('a', SIZE)
    const ids = Array.from({ length: 8 }, () => 1)
    await answerOf(service, 'a', request(session, { ids }))
    await assert.rejects(
      answerOf(service, 'a', request(session, { truncateAt: 8, ids: [1, 2, 3] })),
      faultIs('full')
    )
    const all = request(session, { ids, positions: ids.map(() => []) })
    for (let count = 0; count < 7; count++) await answerOf(service, 'a', all)
    await assert.rejects(answerOf(service, 'a', all), (error: { fault?: string; retryAfterMs?: number }) => {
      assert.equal(error.fault, 'busy')
      assert.equal(error.retryAfterMs, 5_000)
      return true
    })
    time = 5_000
    await answerOf(service, 'a', all)
  })

  it('aborts a request that is superseded by a later one of its client', async () => {
    const gate = gatedModel()
    const service = serviceOf(gate.model)
    const { session } = service.open('a', SIZE)
    const first = answerOf(service, 'a', request(session))
    await gate.waiting()
    const second = answerOf(service, 'a', request(session, { ids: [4] }))
    await assert.rejects(answerOf(service, 'a', request(session)), faultIs('busy'))
    gate.open()
    assert.equal((await first).length, 0)
    assert.ok((await second).length > 0)
    assert.equal(service.load.requests, 0)
  })

  it('frees the slot of a client that hangs up while queued or being served', async () => {
    const gate = gatedModel()
    const service = serviceOf(gate.model)
    const controllers = ['a', 'b', 'c'].map(() => new AbortController())
    const answers = ['a', 'b', 'c'].map((client, index) =>
      answerOf(service, client, request(service.open(client, SIZE).session), controllers[index]!.signal)
    )
    const outcomes = Promise.allSettled(answers)
    await gate.waiting()
    assert.equal(service.load.requests, 3)
    controllers[1]!.abort(new Error('hung up'))
    await assert.rejects(answers[1]!, /hung up/)
    assert.equal(service.load.requests, 2)
    controllers[0]!.abort(new Error('hung up'))
    gate.open()
    assert.deepEqual(
      (await outcomes).map(({ status }) => status),
      ['rejected', 'rejected', 'fulfilled']
    )
    assert.equal(service.load.requests, 0)
  })

  it('reports a model that gives no finite logits', async () => {
    const service = serviceOf(tableModel(() => new Float32Array(SIZE).fill(Number.NaN), SIZE))
    const { session } = service.open('a', SIZE)
    await assert.rejects(answerOf(service, 'a', request(session)), /logit of id 0 is NaN/)
  })
})

describe('the fair queue', () => {
  it('takes turns between clients, and refuses requests beyond its bound', async () => {
    const queue = createFairQueue({ waiting: 5, waitingPerClient: 4 })
    const order: string[] = []
    let release = (): void => undefined
    const held = new Promise<void>((resolve) => {
      release = resolve
    })
    const add = (client: string): Promise<void> =>
      queue.run(client, never, async () => {
        await held
        order.push(client)
      })
    const all = [add('a'), add('a'), add('a'), add('a'), add('b'), add('b')]
    await assert.rejects(add('c'), faultIs('busy'))
    release()
    await Promise.all(all)
    assert.equal(order.join(''), 'ababaa')
    assert.equal(queue.length, 0)
  })
})

/** A model that computes nothing until it is released. */
function gatedModel() {
  const plain = model()
  let open = (): void => undefined
  const opened = new Promise<void>((resolve) => {
    open = resolve
  })
  let arrived = (): void => undefined
  const waiting = new Promise<void>((resolve) => {
    arrived = resolve
  })
  return {
    open: () => open(),
    waiting: () => waiting,
    model: {
      ...plain,
      start() {
        const text = plain.start()
        return {
          get length() {
            return text.length
          },
          truncate: (length: number) => text.truncate(length),
          async appendRows(ids: readonly number[], count: number) {
            arrived()
            await opened
            return text.appendRows(ids, count)
          }
        }
      }
    }
  }
}
