import type { HttpExchange } from '../http-exchange.ts'
import { TransportError } from '../logits-transport.ts'
import { completionSchema, toldPositions } from './completion-answer.ts'
import type { TokenNames } from './token-names.ts'
import type { ToldPosition } from './told-position.ts'

/** A text as a server is given it. */
export type Prompt = string | readonly number[]

/** What is asked of `/v1/completions`. */
export interface CompletionRequest {
  readonly prompt: Prompt | readonly (readonly number[])[]
  readonly maxTokens: number
  readonly topK: number
  readonly temperature: number
  /** Parameters that not every server has. */
  readonly extras: Readonly<Record<string, unknown>>
}

/** What a server answered. */
export interface Completion {
  /** Positions of each prompt's continuation; none where it told of none. */
  readonly choices: readonly (readonly ToldPosition[])[]
  /** Tokens that it read; undefined where it does not say. */
  readonly promptTokens: number | undefined
  /** Tokens that it made, of a single prompt; undefined where it does not say. */
  readonly madeTokens: number | undefined
  /** What it says of itself: name and fingerprint. */
  readonly identity: string
}

/** A server's `/v1/completions`. */
export interface CompletionsApi {
  /** @throws {TransportError} */
  complete(request: CompletionRequest, signal: AbortSignal): Promise<Completion>
}

export function createCompletionsApi(
  exchange: HttpExchange,
  model: string,
  names: TokenNames
): CompletionsApi {
  return {
    async complete({ prompt, maxTokens, topK, temperature, extras }, signal) {
      const body = {
        model,
        prompt,
        max_tokens: maxTokens,
        logprobs: topK,
        temperature,
        top_p: 1,
        ...extras
      }
      const bytes = Buffer.from(JSON.stringify(body))
      const response = await exchange.send(
        'POST',
        'v1/completions',
        { type: 'application/json', bytes },
        signal
      )
      const answer = await exchange.json(response, completionSchema, signal)
      const count = Array.isArray(prompt) && Array.isArray(prompt[0]) ? prompt.length : 1
      if (answer.choices.length !== count)
        throw new TransportError('garbage', `${answer.choices.length} choices for ${count} prompts`)
      const choices = answer.choices.toSorted((a, b) => a.index - b.index)
      return {
        choices: choices.map(({ logprobs }, index) => {
          if (choices[index]!.index !== index)
            throw new TransportError('garbage', `no choice of index ${index}`)
          // So llama-server answers where what it made is a part of a character.
          if (logprobs === null || logprobs === undefined) return []
          const told = toldPositions(logprobs, names, topK, temperature === 0)
          if (told.length > maxTokens)
            throw new TransportError('garbage', `${told.length} tokens, where ${maxTokens} were asked for`)
          return told
        }),
        promptTokens: answer.usage?.prompt_tokens,
        madeTokens: answer.usage?.completion_tokens,
        identity: JSON.stringify([answer.model ?? null, answer.system_fingerprint ?? null])
      }
    }
  }
}
