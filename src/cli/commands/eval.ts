import { existsSync } from 'node:fs'
import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { Command } from 'commander'
import { deviceOption, type ExecutorFlags, executorFromFlags, executorOption } from '../executor-options.ts'
import { printResult, wholeNumber } from '../output.ts'
import { baseModelFolder } from '../shipped-model.ts'

interface EvalOptions extends ExecutorFlags {
  model?: string
  adapter?: string
  text: string
  context?: number
  threads: number
  perToken?: boolean
  json?: boolean
}

/** `loam eval`: how well a model foresees a text. */
export function evalCommand(): Command {
  return new Command('eval')
    .description('score a text: mean nats per token under a model, with or without an adapter')
    .option('--model <folder>', 'base model folder (default: the model that Loam ships)')
    .option('--adapter <folder>', 'PEFT adapter folder')
    .requiredOption('--text <file>', 'UTF-8 text')
    .option(
      '--context <n>',
      "tokens a window (default: the model's maximum, at most 256)",
      wholeNumber('--context', 2, 131_072)
    )
    .option('--threads <n>', 'threads', wholeNumber('--threads', 1, 256), 1)
    .addOption(executorOption())
    .addOption(deviceOption())
    .option('--per-token', 'list every token with its log-probability')
    .option('--json', 'print one JSON object: { "nats", "tokens", "bytes", "perToken" }')
    .addHelpText(
      'after',
      `
The text begins with the tokenizer's BOS, where it has one, and is cut into windows that do not overlap. The first token
of a window is not scored: its log-probability is null.

Examples:
  $ loam eval --text heldout.txt
  $ loam eval --adapter out/adapter --text out/peer-0/heldout.txt --json`
    )
    .action(evaluate)
}

async function evaluate(options: EvalOptions): Promise<void> {
  const { createTextScorer } = await import('../../model/index.ts')
  const { readPeftFolder } = await import('../../node/peft-files.ts')
  const text = await readText(options.text)
  const adapter = options.adapter === undefined ? undefined : await readPeftFolder(options.adapter)
  const folder = baseModelFolder(options.model)
  if (!existsSync(join(folder, 'config.json')))
    throw new Error(`${folder} holds no base model (no config.json): set --model to its folder`)
  const { context, threads } = options
  const executor = await executorFromFlags(options)
  const scorer = await createTextScorer(folder, {
    threads,
    executor,
    ...(context !== undefined && { context })
  })
  const score = await scorer.score(text, adapter).finally(() => scorer.dispose())
  const result = {
    nats: score.nats,
    tokens: score.tokens,
    bytes: score.bytes,
    ...(options.perToken === true ? { perToken: score.perToken } : {})
  }
  printResult(result, options, () => {
    const bitsPerByte = (score.nats * score.tokens) / score.bytes / Math.LN2
    const lines = [
      `nats per token  ${score.nats.toFixed(4)}`,
      `tokens scored   ${score.tokens}`,
      `bytes           ${score.bytes} (${bitsPerByte.toFixed(4)} bits per byte)`
    ]
    if (options.perToken === true)
      for (const { id, logProb } of score.perToken)
        lines.push(`${String(id).padStart(8)}  ${logProb?.toFixed(6) ?? '-'}`)
    return lines.join('\n')
  })
}

/** Whole files are read into memory and scored: a larger one is a mistake, or is better scored in parts. */
const TEXT_BYTES_MAX = 1024 * 1024 * 1024

/** The text of a file, every byte of it. */
async function readText(path: string): Promise<string> {
  const found = await stat(path).catch(() => undefined)
  if (found === undefined) throw new Error(`there is no text file ${path}`)
  if (found.isDirectory()) throw new Error(`${path} is a folder, not a text file`)
  if (found.size > TEXT_BYTES_MAX) throw new Error(`${path} has more than 1 GiB: score it in parts`)
  const bytes = await readFile(path)
  if (bytes.length === 0) throw new Error(`${path} is empty: there is nothing to score`)
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    throw new Error(`${path} is no UTF-8 text`)
  }
}
