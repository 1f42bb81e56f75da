import assert from 'node:assert/strict'
import { initialiseLlama } from '../../../src/model/index.ts'
import type { DrawSettings } from '../../../src/prada/core/index.ts'
import { connectLogitsServer, createHttpTransport } from '../../../src/prada/remotes/index.ts'
import {
  DEFAULT_PRADA_SETTINGS,
  naiveTokens,
  type PradaComponents,
  type PradaSettings,
  type PradaStatistics,
  pairProxy,
  startPradaText
} from '../../../src/prada/session/index.ts'
import { type LogitsApp, listen } from './logits-app.ts'
import { base, OTHER_CONFIG, proxyModels, serviceOf, shaken, vocabulary } from './real-models.ts'

const TOKENS = 24
const DRAWS: Readonly<Record<string, { readonly prompt: string; readonly draw: DrawSettings }>> = {
  greedy: { prompt: 'Once upon a time', draw: { temperature: 0 } },
  'T = 1': { prompt: 'The President shall', draw: { temperature: 1 } },
  'T = 0.7, top-p 0.9': { prompt: 'Dear Sir,', draw: { temperature: 0.7, topP: 0.9 } }
}
const SETTINGS: readonly Partial<PradaSettings>[] = [
  { draftLength: 1, topK: 8 },
  { draftLength: 4, topK: 64, drafter: 'base' },
  { draftLength: 8, topK: 'rows' },
  { draftLength: 'auto', topK: 8 },
  { draftLength: 4, topK: 8, drafter: 'remote' },
  { draftLength: 4, topK: 8 },
  { draftLength: 4, topK: 8, wantedMax: 0 }
]
const NEAR = 'a model near the proxy'
/** One float32 row a token. */
const ROW_BYTES = 4 * vocabulary.tokens.length

describe('real models over HTTP', () => {
  const proxy = proxyModels(3)
  after(async () => {
    await proxy.base.dispose()
    await proxy.adapted.dispose()
  })

  const remotes = {
    'a random Llama of another shape': () => serviceOf(OTHER_CONFIG, initialiseLlama(OTHER_CONFIG, 8)),
    [NEAR]: () => serviceOf(base.config, shaken(base.weights, 5, 0.1))
  }
  for (const [name, start] of Object.entries(remotes))
    describe(name, () => {
      let app: LogitsApp
      let transport: ReturnType<typeof createHttpTransport>
      let components: PradaComponents

      before(async () => {
        app = await listen(start())
        transport = createHttpTransport({ url: app.url })
        const remote = await connectLogitsServer(transport)
        components = pairProxy(proxy, vocabulary, remote)
      })
      after(async () => {
        transport.dispose()
        await app.close()
      })

      for (const [title, { prompt, draw }] of Object.entries(DRAWS))
        it(`${title}: every token is that of naive sampling`, async () => {
          const ids = [base.tokenizer.bosId!, ...base.tokenizer.encode(prompt)]
          const request = { ids, maxTokens: TOKENS, seed: 17, ...draw }
          const truth = await naiveTokens(components, { alpha: 1, precision: 'float16' }, request)
          for (const settings of SETTINGS) {
            const text = startPradaText(components, { ...DEFAULT_PRADA_SETTINGS, ...settings }, request)
            const made: number[] = []
            for await (const { id, exact } of text.tokens) {
              assert.ok(exact)
              made.push(id)
            }
            assert.deepEqual(made, truth, JSON.stringify(settings))
            report(name, title, settings, text.statistics)
            // Headers of requests and answers included.
            if (settings.draftLength === 4 && settings.topK === 8 && name === NEAR && draw.topP === undefined)
              assert.ok(bytesPerToken(text.statistics) <= 0.05 * ROW_BYTES, JSON.stringify(text.statistics))
          }
        })
    })
})

function bytesPerToken({ bytesSent, bytesReceived, tokens }: PradaStatistics): number {
  return (bytesSent + bytesReceived) / tokens
}

/** For people who look: set LOAM_SHOW=1. */
function report(
  remote: string,
  draw: string,
  settings: Partial<PradaSettings>,
  found: PradaStatistics
): void {
  if (process.env.LOAM_SHOW !== '1') return
  const { tokens, trips, accepted, judged, uncertain, extraTrips } = found
  const parts = [
    remote,
    draw,
    JSON.stringify(settings),
    `${((100 * bytesPerToken(found)) / ROW_BYTES).toFixed(1)} % of a row`,
    `${(found.bytesSent / tokens).toFixed(0)} B up, ${(found.bytesReceived / tokens).toFixed(0)} B down a token`,
    `${(tokens / trips).toFixed(2)} tokens a trip`,
    `acceptance ${(accepted / judged).toFixed(2)}`,
    `${uncertain} uncertain, ${extraTrips} extra trips`
  ]
  console.log(parts.join(' | '))
}
