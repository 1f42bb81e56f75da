import { join } from 'node:path'
import { Command } from 'commander'
import { packageRoot } from '../../src/package-root.ts'
import { openLlamaCppModel } from '../../src/prada/models/index.ts'
import {
  connectLogitsServer,
  createServiceTransport,
  openRemote,
  type Remote
} from '../../src/prada/remotes/index.ts'
import { createLogitsService, DEFAULT_LOGITS_LIMITS } from '../../src/prada/server/index.ts'
import { withGgufModel } from '../llama-cpp/score-texts.ts'
import { type Comparison, compareWithNaive, proxyOf } from './compare.ts'
import { startPythonServer } from './python-servers.ts'

const program = new Command('npm run check -- remotes')
  .description(
    'Compares the tokens of a proxy with a third-party remote to those of reading one whole row per token: llama.cpp in this process, and servers of OpenAI’s API over it. Remotes that are not given are skipped.'
  )
  .option('--node-llama-cpp <folder>', 'the package node-llama-cpp', process.env.LOAM_NODE_LLAMA_CPP)
  .option(
    '--llama-cpp-python <python>',
    'a Python that has llama-cpp-python[server]',
    process.env.LOAM_LLAMA_CPP_PYTHON
  )
  .option(
    '--xllamacpp <python>',
    "a Python that has xllamacpp, which brings llama.cpp's own server",
    process.env.LOAM_XLLAMACPP
  )
  .option('--model <folder>', 'model of the Llama family', join(packageRoot(), 'models/loam-base-1m'))
  .option('--prompts <n>', 'prompts per sampling method', '10')
  .option('--tokens <n>', 'tokens of each', '32')
  .option('--json', 'print one JSON object', false)
  .addHelpText(
    'after',
    `
Example:
  $ npm run check -- remotes --node-llama-cpp /opt/llama/node_modules/node-llama-cpp`
  )

interface Options {
  readonly nodeLlamaCpp?: string
  readonly llamaCppPython?: string
  readonly xllamacpp?: string
  readonly model: string
  readonly prompts: string
  readonly tokens: string
  readonly json: boolean
}

/** Share of near ties above which the batch error is too large to speak of exactness. */
const NEAR_TIES_MAX = 0.001

async function check(options: Options): Promise<void> {
  const results: Record<string, Comparison | 'skipped'> = {}
  await withGgufModel(options.model, async (gguf) => {
    results['llama.cpp'] = await inProcess(options, gguf)
    results['llama-cpp-python'] = await overHttp(options, gguf, 'llama-cpp-python', options.llamaCppPython)
    results.xllamacpp = await overHttp(options, gguf, 'xllamacpp', options.xllamacpp)
  })
  if (options.json) console.log(JSON.stringify(results))
  else for (const [name, result] of Object.entries(results)) console.log(`${name}: ${textOf(result)}`)
  for (const result of Object.values(results))
    if (result !== 'skipped' && result.differences > 0) process.exitCode = 1
}

/** llama.cpp as the model of a logits server. */
async function inProcess(options: Options, gguf: string): Promise<Comparison | 'skipped'> {
  if (options.nodeLlamaCpp === undefined) return 'skipped'
  const { model, vocabulary, digest } = await openLlamaCppModel(gguf, {
    packageFolder: options.nodeLlamaCpp,
    threads: 1
  })
  const limits = { ...DEFAULT_LOGITS_LIMITS, positionsPerMinute: 1e9 }
  const service = createLogitsService({ name: 'llama.cpp', model, digest, vocabulary }, limits)
  try {
    return await compared(await connectLogitsServer(createServiceTransport(service)), options)
  } finally {
    await service.dispose()
  }
}

async function overHttp(
  options: Options,
  gguf: string,
  kind: 'llama-cpp-python' | 'xllamacpp',
  python: string | undefined
): Promise<Comparison | 'skipped'> {
  if (python === undefined) return 'skipped'
  const server = await startPythonServer(kind, python, gguf)
  const { vocabulary, encode } = proxyOf(options.model)
  try {
    const { remote, dispose } = await openRemote(server.url, { vocabulary, encode })
    try {
      return await compared(remote, options)
    } finally {
      dispose()
    }
  } finally {
    await server.stop()
  }
}

function compared(remote: Remote, { model, prompts, tokens }: Options): Promise<Comparison> {
  return compareWithNaive(remote, model, Number(prompts), Number(tokens))
}

function textOf(result: Comparison | 'skipped'): string {
  if (result === 'skipped') return 'skipped: not given'
  const { tokens, compared, differences, nearTies, inexact, batchError, trips, accepted, judged } = result
  const share = nearTies / tokens
  return [
    compared === 0
      ? `${tokens} tokens, none compared, since it serves no whole rows`
      : `${tokens} tokens, of ${compared} compared ${differences} different from the naive method's`,
    `${nearTies} near ties (${(100 * share).toFixed(3)} %, ${share < NEAR_TIES_MAX ? 'within' : 'BEYOND'} 0.1 %) at a batch error of ${batchError.toExponential(1)}`,
    `${inexact} uncertain`,
    `${(tokens / trips).toFixed(2)} tokens per trip,  ${(accepted / Math.max(1, judged)).toFixed(2)} of the drafts kept`
  ].join('; ')
}

await check(program.parse().opts<Options>())
