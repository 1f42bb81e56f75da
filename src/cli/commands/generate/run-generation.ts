import { randomInt } from 'node:crypto'
import { performance } from 'node:perf_hooks'
import { text } from 'node:stream/consumers'
import type { SamplingSettings } from '../../../model/index.ts'
import {
  applyAdapter,
  createGenerator,
  loadBaseModel,
  loadChatTemplate,
  streamText
} from '../../../model/index.ts'
import { readAdapterPath } from '../../options/adapter-path.ts'
import { executorFromFlags } from '../../options/executor-options.ts'
import { baseModelFolder, requireBaseModel } from '../../options/shipped-model.ts'
import { printResult, printText } from '../../terminal/output.ts'
import { UsageError } from '../../terminal/usage-error.ts'
import type { GenerateFlags } from './generate.ts'

/** Tokens generated where neither the flags nor the model's makers say anything. */
export const DEFAULT_MAX_TOKENS = 128

/** Generates text and prints it as it comes. */
export async function runGeneration(flags: GenerateFlags): Promise<void> {
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
        if (flags.json !== true) printText(value)
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

/** The flags, else the model's own settings; a request for top-k or top-p is a request to sample. */
export function samplingSettings(flags: GenerateFlags, generation: SamplingSettings): SamplingSettings {
  const topK = flags.topK ?? generation.topK
  const topP = flags.topP ?? generation.topP
  const sampled = flags.topK !== undefined || flags.topP !== undefined
  const temperature = flags.temperature ?? generation.temperature ?? (sampled ? 1 : 0)
  return { temperature, ...(topK !== undefined && { topK }), ...(topP !== undefined && { topP }) }
}

/** Tokens of the prompt, in the chat template where that is asked for. */
export async function promptIds(
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
  if (ids.length === 0)
    throw new Error('the prompt is empty, and the tokenizer has no token that begins a text')
  return ids
}

async function chatPrompt(
  { system, chatTemplate }: GenerateFlags,
  folder: string,
  prompt: string
): Promise<string> {
  const render = loadChatTemplate(folder, chatTemplate)
  if (render === undefined)
    throw new Error(`${folder} has no chat template: set one with --chat-template (a file, or chatml)`)
  const messages = [
    ...(system === undefined ? [] : [{ role: 'system', content: system }]),
    { role: 'user', content: prompt.trimEnd() }
  ]
  return render(messages, { addGenerationPrompt: true })
}
