import assert from 'node:assert/strict'
import { setTimeout as delay } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { createPradaSource, type TextSource } from '../../../src/prada/endpoint/index.ts'
import { connectLogitsServer, createServiceTransport } from '../../../src/prada/remotes/index.ts'
import {
  createLogitsService,
  DEFAULT_LOGITS_LIMITS,
  type LogitsService
} from '../../../src/prada/server/index.ts'
import { DEFAULT_PRADA_SETTINGS, pairProxy } from '../../../src/prada/session/index.ts'
import { BYTE_TOKENS, byteTokenizer } from '../../unit/prada/endpoint/tiny-source.ts'
import { nearTable, randomTable, tableModel } from '../../unit/prada/table-model.ts'
import { type EndpointApp, listenEndpoint } from './endpoint-app.ts'
import { parseEvents, post } from './sse.ts'

/** Requests at a time. */
const AT_ONCE = 10
const SEEDS = 30
const VOCABULARY = { type: 'bytes', bosId: 256, eosId: 256, tokens: BYTE_TOKENS }

/** Whether a condition becomes true, by polling. */
export async function comes(what: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await what())) await delay(2)
}

/** A metric of an endpoint by name, with its labels, if any. */
export async function metric({ endpoint }: EndpointApp, name: string): Promise<number> {
  const line = (await endpoint.metrics.text()).split('\n').find((one) => one.startsWith(`${name} `))
  return Number(line?.split(' ').at(-1))
}

/** What remains after many short requests to a Prada endpoint, every third of which is aborted mid-stream. */
export interface LeftBehind {
  /** Of the remote. */
  readonly load: LogitsService['load']
  /** Heap growth since the first third of the requests. */
  readonly grownBytes: number
  readonly failures: readonly Error[]
}

/** @param count a multiple of 30 */
export async function askShortly(count: number): Promise<LeftBehind> {
  const service = remoteService()
  const app = await listenEndpoint(await bytesSource(service), { limits: { requestsPerClient: 8 } })
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  const heapBytes = async (): Promise<number> => {
    await comes(async () => (await metric(app, 'loam_serve_active_requests')) === 0)
    collect()
    return process.memoryUsage().heapUsed
  }
  let before = 0
  for (let index = 0; index < count; index += AT_ONCE) {
    if (index === count / 3) before = await heapBytes()
    await Promise.all(Array.from({ length: AT_ONCE }, (_, offset) => ask(app.url, index + offset)))
  }
  const grownBytes = (await heapBytes()) - before
  await comes(() => service.load.sessions === 0)
  const { load } = service
  await app.close()
  return { load, grownBytes, failures: app.failures }
}

async function ask(url: string, index: number): Promise<void> {
  const leaves = index % 3 === 0
  const leaving = new AbortController()
  // Few seeds: the tables keep a row for every prefix seen.
  const seed = index % SEEDS
  const body = { model: 'bytes', prompt: 'Once', seed, stream: true, max_tokens: leaves ? 500 : 8 }
  const response = await post(`${url}/v1/completions`, body, { signal: leaving.signal })
  if (!leaves) {
    assert.ok(parseEvents(await response.text()).isDone)
    return
  }
  await response.body!.getReader().read()
  leaving.abort()
}

const TABLE = randomTable(3, BYTE_TOKENS.length, 2)

function remoteService(): LogitsService {
  const model = tableModel(TABLE, BYTE_TOKENS.length)
  return createLogitsService(
    { name: 'remote', model, digest: 'ab'.repeat(32), vocabulary: VOCABULARY },
    { ...DEFAULT_LOGITS_LIMITS, positionsPerMinute: 1e9, sessionsPerClient: 20 }
  )
}

async function bytesSource(service: LogitsService): Promise<TextSource> {
  const remote = await connectLogitsServer(createServiceTransport(service))
  const proxy = {
    base: tableModel(nearTable(TABLE, 5, 0.3), BYTE_TOKENS.length),
    adapted: tableModel(nearTable(TABLE, 6, 0.3), BYTE_TOKENS.length)
  }
  return createPradaSource({
    components: pairProxy(proxy, VOCABULARY, remote),
    vocabulary: VOCABULARY,
    settings: DEFAULT_PRADA_SETTINGS,
    description: {
      name: 'bytes',
      fingerprint: 'fp',
      tokenizer: byteTokenizer,
      tokens: BYTE_TOKENS,
      renderChat: undefined,
      stopIds: [256]
    },
    dispose: async () => undefined
  })
}
