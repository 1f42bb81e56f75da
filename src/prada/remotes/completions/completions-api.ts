import type { HttpExchange } from '../http-exchange.ts'
import { TransportError } from '../logits-transport.ts'
import { completionSchema, reportedPositions } from './completion-answer.ts'
import type { ReportedPosition } from './reported-position.ts'
import type { TokenNames } from './token-names.ts'

/** A text as it is sent to a server. */
export type Prompt = string | readonly number[]

/** A request to `/v1/completions`. */
export interface CompletionRequest {
  readonly prompt: Prompt | readonly (readonly number[])[]
  readonly maxTokens: number
  readonly topK: number
  readonly temperature: number
  /** Parameters that not every server supports. */
  readonly extras: Readonly<Record<string, unknown>>
}

/** A server's answer. */
export interface Completion {
  /** Positions of each prompt's continuation; empty if it reported none. */
  readonly choices: readonly (readonly ReportedPosition[])[]
  /** Number of prompt tokens; undefined if not reported. */
  readonly promptTokens: number | undefined
  /** Number of generated tokens for a single prompt; undefined if not reported. */
  readonly madeTokens: number | undefined
  /** Identity that the server reports: name and fingerprint. */
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
            throw new TransportError('garbage', `no choice with index ${index}`)
          // llama-server answers like this if it generated part of a character.
          if (logprobs === null || logprobs === undefined) return []
          const reported = reportedPositions(logprobs, names, topK, temperature === 0)
          if (reported.length > maxTokens)
            throw new TransportError('garbage', `${reported.length} tokens, but ${maxTokens} were requested`)
          return reported
        }),
        promptTokens: answer.usage?.prompt_tokens,
        madeTokens: answer.usage?.completion_tokens,
        identity: JSON.stringify([answer.model ?? null, answer.system_fingerprint ?? null])
      }
    }
  }
}
