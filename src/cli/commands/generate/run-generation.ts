import { randomInt } from 'node:crypto'
import { performance } from 'node:perf_hooks'
import { text } from 'node:stream/consumers'
import { type TextTokenizer, textPrefix } from '../../../data/index.ts'
import {
  applyAdapter,
  chooseSampling,
  createGenerator,
  loadBaseModel,
  loadChatTemplate,
  madeMaxTokens,
  promptTokens,
  streamText
} from '../../../model/index.ts'
import { readAdapterPath } from '../../options/adapter-path.ts'
import { executorFromFlags } from '../../options/executor-options.ts'
import { baseModelFolder, requireBaseModel } from '../../options/shipped-model.ts'
import { printProgress, printResult, printText } from '../../terminal/output.ts'
import { UsageError } from '../../terminal/usage-error.ts'
import type { GenerateFlags } from './generate.ts'

/** Default number of new tokens, if neither the flags nor generation_config.json set one. */
export const DEFAULT_MAX_TOKENS = 128

/** Generates text and prints it as it is generated. */
export async function runGeneration(flags: GenerateFlags): Promise<void> {
  if (flags.system !== undefined && flags.chat !== true) throw new UsageError('--system needs --chat')
  const folder = baseModelFolder(flags.model)
  requireBaseModel(folder)
  const { config, tokenizer, weights, generation } = loadBaseModel(folder)
  const adapter = flags.adapter === undefined ? undefined : await readAdapterPath(flags.adapter, folder)
  const ids = await promptIds(flags, folder, tokenizer)
  const sampling = chooseSampling(flags, generation)
  if (generation.unused !== undefined) printProgress(generation.unused)
  if (generation.unsampled !== undefined && flags.temperature === undefined && sampling.temperature === 0)
    printProgress(generation.unsampled)
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
      maxTokens: flags.maxTokens ?? madeMaxTokens(generation, ids.length) ?? DEFAULT_MAX_TOKENS,
      stop: [...(flags.stop ?? []), ...(generation.stop ?? [])],
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
      // The text is already printed, except for the final line feed.
      printResult(result, flags, () => '')
      return
    }
  } finally {
    process.off('SIGINT', stop)
    await generator.dispose()
  }
}

/** Tokens of the prompt, in the chat template if requested. */
export async function promptIds(
  flags: GenerateFlags,
  folder: string,
  tokenizer: TextTokenizer
): Promise<number[]> {
  const prompt = flags.prompt === '-' ? await text(process.stdin) : flags.prompt
  if (flags.chat !== true) return promptTokens(tokenizer, prompt)
  const ids = promptTokens(tokenizer, chatPrompt(flags, folder, prompt), { isTemplated: true })
  if (textPrefix(tokenizer).some((id, index) => ids[index] !== id))
    printProgress(
      'the chat template does not write the token that texts begin with (BOS), and none is added, as in transformers'
    )
  return ids
}

function chatPrompt({ system, chatTemplate }: GenerateFlags, folder: string, prompt: string): string {
  // Read once, so that the date does not change within a text.
  const started = new Date()
  const render = loadChatTemplate(folder, chatTemplate, { date: () => started })
  if (render === undefined)
    throw new Error(`${folder} has no chat template: set one with --chat-template (a file, or chatml)`)
  const messages = [
    ...(system === undefined ? [] : [{ role: 'system', content: system }]),
    { role: 'user', content: prompt.trimEnd() }
  ]
  let whole: string
  try {
    whole = render(messages, { addGenerationPrompt: true })
  } catch (error) {
    throw new Error(`the chat template of ${chatTemplate ?? folder} failed: ${(error as Error).message}`)
  }
  if (system !== undefined && !whole.includes(system.trim()))
    printProgress('the chat template does not contain the system message verbatim: it may leave it out')
  return whole
}
