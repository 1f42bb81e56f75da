import { setImmediate as soon } from 'node:timers/promises'
import type { FairQueue } from '../server/fair-queue.ts'
import { type MadeTextEnd, textPieces } from './made-text.ts'
import type { EndpointMetrics } from './metrics.ts'
import type { TextPlan } from './text-plan.ts'
import type { MadeToken, SourceText, TextEnd, TextSource } from './text-source.ts'

/** Callbacks during the generation of a request's texts, one text after the other. */
export type ChoiceEvent =
  | { readonly kind: 'begin'; readonly index: number }
  | {
      readonly kind: 'piece'
      readonly index: number
      readonly text: string
      readonly tokens: readonly MadeToken[]
    }
  | { readonly kind: 'end'; readonly index: number; readonly end: MadeTextEnd }

/** What generating texts depends on. */
export interface ChoiceMaking {
  readonly source: TextSource
  readonly client: string
  /** Schedules clients fairly, one token at a time. */
  readonly turns: FairQueue
  readonly metrics: EndpointMetrics
  readonly signal: AbortSignal
}

/** Generates all texts of a plan. */
export async function* makeChoices(
  { prompts, choices, settings, stop }: TextPlan,
  making: ChoiceMaking
): AsyncGenerator<ChoiceEvent, void> {
  const { source, metrics, signal } = making
  for (const [place, ids] of prompts.entries()) {
    metrics.prompt(ids.length)
    for (let stream = 0; stream < choices; stream++) {
      const index = place * choices + stream
      const text = source.start({ ...settings, ids, stream, signal })
      const pieces = textPieces(counted(inTurns(text, making), metrics), {
        tokenizer: source.tokenizer,
        before: ids,
        stop
      })
      try {
        // Waits for the first piece or the end before sending anything, so that an immediate failure gets its own
        // status.
        let next = await pieces.next()
        yield { kind: 'begin', index }
        for (; !next.done; next = await pieces.next()) yield { kind: 'piece', index, ...next.value }
        yield { kind: 'end', index, end: next.value }
      } finally {
        await pieces.return(undefined as never)
        if (text.statistics !== undefined) metrics.line(text.statistics)
      }
    }
  }
}

async function* counted(
  tokens: AsyncGenerator<MadeToken, TextEnd>,
  metrics: EndpointMetrics
): AsyncGenerator<MadeToken, TextEnd> {
  try {
    for (;;) {
      const next = await tokens.next()
      if (next.done) return next.value
      metrics.made(1, next.value.exact ? 0 : 1)
      // Tokens may arrive without any waiting, so yield to let other clients and disconnects be handled.
      await soon()
      yield next.value
    }
  } finally {
    await tokens.return('stop')
  }
}

/** Takes a turn for every token if the source can generate only a few at a time. */
async function* inTurns(
  { tokens }: SourceText,
  { source, turns, client, signal }: ChoiceMaking
): AsyncGenerator<MadeToken, TextEnd> {
  try {
    for (;;) {
      const next =
        source.tokensAtOnce === undefined
          ? await tokens.next()
          : await turns.run(client, signal, () => tokens.next())
      if (next.done) return next.value
      yield next.value
    }
  } finally {
    await tokens.return('stop')
  }
}
