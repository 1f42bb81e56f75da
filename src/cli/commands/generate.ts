import { randomInt } from 'node:crypto'
import { performance } from 'node:perf_hooks'
import { text } from 'node:stream/consumers'
import { Command } from 'commander'
import type { SamplingSettings } from '../../model/generate/sampling.ts'
import { readAdapterPath } from '../options/adapter-path.ts'
import {
  deviceOption,
  type ExecutorFlags,
  executorFromFlags,
  executorOption
} from '../options/executor-options.ts'
import { integer, nonNegativeNumber, share } from '../options/parsers.ts'
import { baseModelFolder, requireBaseModel } from '../options/shipped-model.ts'
import { printResult } from '../terminal/output.ts'
import { UsageError } from '../terminal/usage-error.ts'

/** Tokens made where neither the user nor the model's makers say anything. */
const DEFAULT_MAX_TOKENS = 128

interface GenerateFlags extends ExecutorFlags, SamplingSettings {
  model?: string
  adapter?: string
  prompt: string
  chat?: boolean
  system?: string
  chatTemplate?: string
  maxTokens?: number
  stop?: string[]
  seed?: number
  context?: number
  threads: number
  json?: boolean
}

/** `loam generate`: continues a text. */
export function generateCommand(): Command {
  return new Command('generate')
    .description('continue a text, or answer as a chat, with or without an adapter')
    .option('--model <folder>', 'base model folder (default: the model that Loam ships)')
    .option('--adapter <path>', 'PEFT adapter folder, or a safetensors file of Loam')
    .requiredOption('--prompt <text>', 'the beginning; - reads it from standard input')
    .option('--chat', "put the prompt into the model's chat template, as a user's turn")
    .option('--system <text>', 'with --chat: what the system says first')
    .option('--chat-template <file>', "Jinja template, or chatml (default: the model's own)")
    .option(
      '--max-tokens <n>',
      'most tokens to add (default: 128, or the model says)',
      integer('--max-tokens', 1)
    )
    .option(
      '--temperature <n>',
      'divides the logits; 0 takes the likeliest token',
      nonNegativeNumber('--temperature')
    )
    .option('--top-k <n>', 'only the n likeliest tokens', integer('--top-k', 1))
    .option('--top-p <share>', 'only the likeliest tokens that reach this probability', share('--top-p'))
    .option(
      '--stop <text>',
      'end before this text; may be given several times',
      (stop: string, all: string[] = []) => [...all, stop]
    )
    .option('--seed <n>', 'seed of the draws (default: another each time)', integer('--seed', 0))
    .option('--context <n>', "longest text, tokens (default: the model's maximum)", integer('--context', 2))
    .option('--threads <n>', 'threads', integer('--threads', 1, 256), 1)
    .addOption(executorOption())
    .addOption(deviceOption())
    .option(
      '--json',
      'print one JSON object: { "text", "tokens", "promptTokens", "finishReason", "seed", "tokensPerSecond" }'
    )
    .addHelpText(
      'after',
      `
Text is printed as it comes. What is not given is taken from the model's generation_config.json; without one the
likeliest token is taken.

Examples:
  $ loam generate --prompt "Once upon a time"
  $ loam generate --adapter my-adapter --prompt "Dear colleagues," --temperature 0.8 --top-p 0.95 --seed 1
  $ echo "What is a whale?" | loam generate --model models/chat --chat --prompt - --json`
    )
    .action(generate)
}

async function generate(flags: GenerateFlags): Promise<void> {
  const { applyAdapter, createGenerator, loadBaseModel, streamText } = await import('../../model/index.ts')
  if (flags.system !== undefined && flags.chat !== true) throw new UsageError('--system needs --chat')
  const folder = baseModelFolder(flags.model)
  requireBaseModel(folder)
  const { config, tokenizer, weights, generation } = loadBaseModel(folder)
  const adapter = flags.adapter === undefined ? undefined : await readAdapterPath(flags.adapter)
  const ids = await promptIds(flags, folder, tokenizer)
  const sampling = samplingSettings(flags, generation)
  const seed = flags.seed ?? randomInt(2 ** 32)
  const generator = await createGenerator({
    config,
    executor: await executorFromFlags(flags),
    ...(flags.context !== undefined && { context: flags.context })
  })
  const stopping = new AbortController()
  const stop = (): void => stopping.abort(new Error('stopped'))
  process.once('SIGINT', stop)
  const started = performance.now()
  let whole = ''
  try {
    const stream = streamText(generator, {
      ...sampling,
      tokenizer,
      weights: adapter ? applyAdapter(weights, adapter) : weights,
      ids,
      maxTokens: flags.maxTokens ?? generation.maxTokens ?? DEFAULT_MAX_TOKENS,
      stop: flags.stop ?? [],
      stopIds: generation.stopIds,
      seed,
      signal: stopping.signal
    })
    for (;;) {
      const { done, value } = await stream.next()
      if (!done) {
        whole += value
        if (flags.json !== true) process.stdout.write(value)
        continue
      }
      const seconds = (performance.now() - started) / 1000
      const { reason, tokens } = value
      const result = {
        text: whole,
        tokens,
        promptTokens: ids.length,
        finishReason: reason,
        seed,
        tokensPerSecond: Number((tokens / seconds).toFixed(1))
      }
      // The text is out already; only its last line's end is missing.
      printResult(result, flags, () => '')
      return
    }
  } finally {
    process.off('SIGINT', stop)
    await generator.dispose()
  }
}

/** What is given, else what the model's makers say; who asks for top-k or top-p wants to sample. */
function samplingSettings(flags: GenerateFlags, generation: SamplingSettings): SamplingSettings {
  const topK = flags.topK ?? generation.topK
  const topP = flags.topP ?? generation.topP
  const sampled = flags.topK !== undefined || flags.topP !== undefined
  const temperature = flags.temperature ?? generation.temperature ?? (sampled ? 1 : 0)
  return { temperature, ...(topK !== undefined && { topK }), ...(topP !== undefined && { topP }) }
}

async function promptIds(
  flags: GenerateFlags,
  folder: string,
  tokenizer: { readonly bosId: number | undefined; encode(text: string): number[] }
): Promise<number[]> {
  const prompt = flags.prompt === '-' ? await text(process.stdin) : flags.prompt
  const beginning = flags.chat === true ? await chatPrompt(flags, folder, prompt) : prompt
  const ids = tokenizer.encode(beginning)
  // A chat template writes its own special tokens.
  const begun = flags.chat === true && ids[0] === tokenizer.bosId
  if (tokenizer.bosId !== undefined && !begun) ids.unshift(tokenizer.bosId)
  if (ids.length === 0) throw new Error('the prompt is empty, and the tokenizer has no token to begin with')
  return ids
}

async function chatPrompt(
  { system, chatTemplate }: GenerateFlags,
  folder: string,
  prompt: string
): Promise<string> {
  const { loadChatTemplate } = await import('../../model/index.ts')
  const render = loadChatTemplate(folder, chatTemplate)
  if (render === undefined)
    throw new Error(`${folder} has no chat template: give one with --chat-template (a file, or chatml)`)
  const messages = [
    ...(system === undefined ? [] : [{ role: 'system', content: system }]),
    { role: 'user', content: prompt.trimEnd() }
  ]
  return render(messages, { addGenerationPrompt: true })
}
