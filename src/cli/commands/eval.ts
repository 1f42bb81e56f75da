import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { Command } from 'commander'
import { printResult, wholeNumber } from '../output.ts'
import { baseModelFolder } from '../shipped-model.ts'

interface EvalOptions {
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
  if (!existsSync(options.text)) throw new Error(`there is no text file ${options.text}`)
  const text = await readFile(options.text, 'utf8')
  const adapter = options.adapter === undefined ? undefined : await readPeftFolder(options.adapter)
  const scorer = await createTextScorer(baseModelFolder(options.model), options)
  const score = await scorer.score(text, adapter)
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
