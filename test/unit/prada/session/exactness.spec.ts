import assert from 'node:assert/strict'
import type { Remote, TripRequest } from '../../../../src/prada/remotes/index.ts'
import type { LogitsLimits } from '../../../../src/prada/server/index.ts'
import {
  DEFAULT_PRADA_SETTINGS,
  type DrafterName,
  naiveTokens,
  type PradaComponents,
  type PradaRequest,
  type PradaSettings,
  startPradaText
} from '../../../../src/prada/session/index.ts'
import { SETTINGS } from '../arbitraries.ts'
import { remoteOf } from '../small-remote.ts'
import { nearTable, randomTable, tableModel } from '../table-model.ts'

const SIZE = 40
const TOKENS = 32

async function components(seed: number, limits: Partial<LogitsLimits> = {}): Promise<PradaComponents> {
  const remote = randomTable(seed, SIZE + 5, 2)
  const base = nearTable(remote, seed + 1, 0.7)
  const adapted = nearTable(base, seed + 2, 0.7)
  let time = 0
  return {
    // The remote has some ids that the proxy lacks.
    remote: await remoteOf(tableModel(remote, SIZE + 5), limits),
    proxy: { base: tableModel(base, SIZE), adapted: tableModel(adapted, SIZE) },
    vocabularySize: SIZE,
    now: () => (time += 1)
  }
}

async function tokensOf(
  made: PradaComponents,
  settings: Partial<PradaSettings>,
  request: PradaRequest
): Promise<{ ids: number[]; statistics: ReturnType<typeof startPradaText>['statistics'] }> {
  const text = startPradaText(made, { ...DEFAULT_PRADA_SETTINGS, ...settings }, request)
  const ids: number[] = []
  for await (const { id, exact } of text.tokens) {
    assert.ok(exact)
    ids.push(id)
  }
  return { ids, statistics: text.statistics }
}

describe('a text sampled from the combined distribution', () => {
  for (const [name, draw] of Object.entries(SETTINGS))
    it(`${name}: equals naive sampling, with every drafter, draft length and top k`, async () => {
      const seen = { uncertain: 0, accepted: 0 }
      const made = await components(1)
      const request = { ids: [3, 1], maxTokens: TOKENS, seed: 77, ...draw }
      const truth = await naiveTokens(made, { alpha: 1, precision: 'float16' }, request)
      assert.equal(truth.length, TOKENS)
      for (const drafter of ['adapted', 'base', 'remote'] satisfies DrafterName[])
        for (const draftLength of [0, 1, 4, 8, 'auto'] as const)
          for (const topK of [2, 8, 'auto', 'rows'] as const) {
            const { ids, statistics } = await tokensOf(
              made,
              { drafter, draftLength, topK, wantedMax: 3 },
              request
            )
            assert.deepEqual(ids, truth, `${drafter}, ${draftLength} drafts, top ${topK}`)
            assert.equal(statistics.tokens, TOKENS)
            assert.ok(statistics.trips <= TOKENS + statistics.extraTrips)
            seen.uncertain += statistics.uncertain
            seen.accepted += statistics.accepted
          }
      // Greedy positions can all be certain, but drafts have to be accepted in any case.
      assert.ok(seen.accepted > 100, JSON.stringify(seen))
      assert.ok(seen.uncertain > 10, JSON.stringify(seen))
    })

  const served: Record<string, Partial<LogitsLimits>> = {
    'no whole rows': { rows: false },
    'few ids by number, no whole rows': { rows: false, wantedMax: 2 },
    'no ids by number': { wantedMax: 0 }
  }
  for (const [name, limits] of Object.entries(served))
    it(`equals naive sampling with a remote that reports ${name}`, async () => {
      const whole = await components(5)
      const made = await components(5, limits)
      for (const draw of Object.values(SETTINGS)) {
        const request = { ids: [7], maxTokens: 20, seed: 4, ...draw }
        const truth = await naiveTokens(whole, { alpha: 1, precision: 'float16' }, request)
        const { ids } = await tokensOf(
          made,
          { draftLength: 4, topK: 3, shareNoise: false, wantedMax: 2 },
          request
        )
        assert.deepEqual(ids, truth)
      }
    })

  it('equals naive sampling at every strength, in float32, with bias and penalties', async () => {
    const made = await components(9)
    const request = {
      ids: [7],
      maxTokens: TOKENS,
      seed: 4,
      temperature: 1,
      bias: new Map([
        [3, 4],
        [5, -100]
      ]),
      presencePenalty: 1.5,
      frequencyPenalty: 0.5
    }
    const texts = new Set<string>()
    for (const alpha of [0, 0.5, 2])
      for (const precision of ['float16', 'float32'] as const) {
        const truth = await naiveTokens(made, { alpha, precision }, request)
        const { ids } = await tokensOf(made, { alpha, precision, draftLength: 4 }, request)
        assert.deepEqual(ids, truth)
        assert.ok(!ids.includes(5))
        texts.add(`${alpha}: ${ids}`)
      }
    assert.ok(texts.size >= 3)
  })

  it('needs fewer round trips with drafts, all of which are accepted if the proxy is the remote', async () => {
    const remote = randomTable(3, SIZE, 2)
    const same = tableModel(remote, SIZE)
    const made = {
      ...(await components(3)),
      remote: await remoteOf(same),
      proxy: { base: same, adapted: same }
    }
    const request = { ids: [1], maxTokens: 36, seed: 8, temperature: 1 }
    const { statistics } = await tokensOf(made, { draftLength: 5, topK: SIZE }, request)
    assert.deepEqual([statistics.trips, statistics.accepted, statistics.judged], [6, 30, 30])
  })

  it('ends at a stop token, at the end of the context, and when the client leaves', async () => {
    const made = await components(2)
    const request = { ids: [3, 1], maxTokens: TOKENS, seed: 153, temperature: 1 }
    const truth = await naiveTokens(made, { alpha: 1, precision: 'float16' }, request)
    const stop = truth[20]!
    const before = truth.slice(0, truth.indexOf(stop))
    assert.deepEqual((await tokensOf(made, {}, { ...request, stopIds: [stop] })).ids, before)
    const short = { ...made, proxy: { ...made.proxy, base: tableModel(randomTable(1, SIZE, 1), SIZE, 12) } }
    assert.equal((await tokensOf(short, {}, request)).ids.length, 10)
    const text = startPradaText(made, DEFAULT_PRADA_SETTINGS, request)
    for await (const { id } of text.tokens) {
      assert.equal(id, truth[0])
      break
    }
    assert.equal((await text.tokens.next()).done, true)
  })

  it('requests no ids by number when none are wanted, and shares no noise unless set to', async () => {
    const request = { ids: [3, 1], maxTokens: TOKENS, seed: 77, temperature: 1 }
    for (const rows of [true, false]) {
      const made = await components(1, { rows, topKMax: SIZE + 5 })
      const asked: TripRequest[] = []
      const remote: Remote = {
        ...made.remote,
        async start(...args) {
          const text = await made.remote.start(...args)
          return {
            get traffic() {
              return text.traffic
            },
            trip(trip, signal) {
              asked.push(trip)
              return text.trip(trip, signal)
            },
            close: () => text.close()
          }
        }
      }
      const settings = { wantedMax: 0, shareNoise: false, drafter: 'base', topK: 4 } as const
      const { ids } = await tokensOf({ ...made, remote }, settings, request)
      const truth = await naiveTokens(await components(1), { alpha: 1, precision: 'float16' }, request)
      assert.deepEqual(ids, truth)
      for (const { positions, noise, draft } of asked) {
        assert.ok(positions.every((position) => position === 'row' || position.length === 0))
        assert.deepEqual([noise, draft], [undefined, undefined])
      }
    }
  })

  it('gives log-probabilities as intervals, and as points with full rows', async () => {
    const made = await components(4)
    const request = { ids: [1], maxTokens: 10, seed: 8, temperature: 1, logProbabilities: true }
    for (const topK of [4, 'rows'] as const) {
      const text = startPradaText(made, { ...DEFAULT_PRADA_SETTINGS, topK }, request)
      for await (const { logProbability } of text.tokens) {
        assert.ok(logProbability && logProbability.low <= logProbability.high && logProbability.high < 1e-6)
        assert.ok(topK !== 'rows' || logProbability.high - logProbability.low < 1e-6)
      }
    }
  })

  it('can be aborted in the middle', async () => {
    const made = await components(4)
    const controller = new AbortController()
    const request = { ids: [1], maxTokens: 1_000, seed: 8, temperature: 1, signal: controller.signal }
    const text = startPradaText(made, DEFAULT_PRADA_SETTINGS, request)
    const reason = new Error('enough')
    let count = 0
    await assert.rejects(async () => {
      for await (const _ of text.tokens) if (++count === 5) controller.abort(reason)
    }, reason)
    assert.ok(count < 30)
  })
})
