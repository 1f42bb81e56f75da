// One run of Loam's generator, greedy, in a process of its own: loam-process.js FOLDER THREADS PROMPT_LENGTH TOKENS

import { peakMemoryMb } from '../../lab/processes/peak-memory.ts'
import { createGenerator } from '../../src/model/index.ts'
import { readProblem } from '../train/problem.ts'

/** What one process measured, on either side. */
export interface GenerationMeasurement {
  readonly ids: readonly number[]
  /** From the start to the first token. */
  readonly promptMs: number
  /** Of the tokens after the first one. */
  readonly tokensPerSecond: number
  readonly rssMB: number
}

const [folder, threads, promptLength, tokens] = process.argv.slice(2)
const { problem, weights } = readProblem(folder!)
const generator = await createGenerator({ config: problem.config, threads: Number(threads) })

async function generate(): Promise<GenerationMeasurement> {
  const ids: number[] = []
  const start = performance.now()
  let first = start
  const prompt = problem.inputIds.slice(0, Number(promptLength))
  for await (const id of generator.stream({
    weights,
    ids: prompt,
    maxTokens: Number(tokens),
    temperature: 0
  })) {
    if (ids.push(id) === 1) first = performance.now()
  }
  const seconds = (performance.now() - first) / 1e3
  return {
    ids,
    promptMs: first - start,
    tokensPerSecond: (ids.length - 1) / seconds,
    rssMB: peakMemoryMb()
  }
}

// The first text compiles the graphs.
await generate()
const measurement = await generate()
await generator.dispose()
console.log(JSON.stringify(measurement))
