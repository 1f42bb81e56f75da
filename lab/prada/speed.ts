import {
  connectLogitsServer,
  createHttpTransport,
  decide,
  naiveTokens,
  type PradaComponents,
  type TokenModel
} from '../../src/prada/index.ts'
import { openSlowLine, type SlowLineOptions } from '../network-lab/slow-line.ts'
import { runSession } from './session-run.ts'

/** Tokens a second, and tokens a trip. */
export interface Speed {
  readonly tokensPerSecond: number
  readonly tokensPerTrip: number
}

/** Texts to be timed. */
export interface TimedTexts {
  readonly prompts: readonly (readonly number[])[]
  readonly tokens: number
  readonly alpha: number
  /** Seed of the first text; 0 where it is absent. */
  readonly firstSeed?: number
}

/** Runs something with a remote behind a line. */
export async function overLine<Value>(
  url: string,
  line: SlowLineOptions,
  components: PradaComponents,
  work: (components: PradaComponents) => Promise<Value>
): Promise<Value> {
  const slow = await openSlowLine(Number(new URL(url).port), line)
  const transport = createHttpTransport({ url: `http://127.0.0.1:${slow.port}` })
  try {
    return await work({ ...components, remote: await connectLogitsServer(transport) })
  } finally {
    transport.dispose()
    await slow.close()
  }
}

/** With the session, at temperature 1 and otherwise the default settings unless a draft length is given. */
export async function sessionSpeed(
  components: PradaComponents,
  { prompts, tokens, alpha, firstSeed = 0 }: TimedTexts,
  draftLength: 'auto' | number = 'auto'
): Promise<Speed> {
  const sum = { tokens: 0, trips: 0 }
  const begun = performance.now()
  for (const [index, ids] of prompts.entries()) {
    const request = { ids, maxTokens: tokens, seed: firstSeed + index, temperature: 1 }
    const { statistics } = await runSession(components, { alpha, draftLength }, request)
    sum.tokens += statistics.tokens
    sum.trips += statistics.trips
  }
  return {
    tokensPerSecond: (1e3 * sum.tokens) / (performance.now() - begun),
    tokensPerTrip: sum.tokens / sum.trips
  }
}

/** The naive way: one trip and one whole float32 row a token. */
export async function naiveSpeed(
  components: PradaComponents,
  { prompts, tokens, alpha, firstSeed = 0 }: TimedTexts
): Promise<Speed> {
  let made = 0
  const begun = performance.now()
  for (const [index, ids] of prompts.entries()) {
    const request = { ids, maxTokens: tokens, seed: firstSeed + index, temperature: 1 }
    made += (await naiveTokens(components, { alpha, precision: 'float32' }, request)).length
  }
  return { tokensPerSecond: (1e3 * made) / (performance.now() - begun), tokensPerTrip: 1 }
}

/** The large model by itself on this machine, a token a pass, greedily, without a line or an offset. */
export async function aloneSpeed(model: TokenModel, { prompts, tokens }: TimedTexts): Promise<Speed> {
  const offset = new Float64Array(model.vocabularySize)
  const scoring = { settings: { temperature: 0 }, offset, noise: () => 0 }
  let made = 0
  const begun = performance.now()
  for (const ids of prompts) {
    const text = model.start()
    let next = ids
    for (let count = 0; count < tokens && text.length + next.length < model.context; count++) {
      const [row] = await text.appendRows(next, 1)
      next = [decide(row!, scoring)]
      made++
    }
  }
  return { tokensPerSecond: (1e3 * made) / (performance.now() - begun), tokensPerTrip: 1 }
}
