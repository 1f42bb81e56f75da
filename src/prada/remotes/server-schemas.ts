import { z } from 'zod'
import type { Vocabulary } from '../core/index.ts'
import { TEXT_MAX, VOCABULARY_MAX } from '../wire/index.ts'

const count = (most: number) => z.int().min(0).max(most)

/** A logits server's description of itself. */
export const descriptionSchema = z.object({
  name: z.string().max(500),
  digest: z.string().regex(/^[0-9a-f]{64}$/),
  capabilities: z.object({
    topKMax: z.int().min(1).max(VOCABULARY_MAX),
    wantedMax: count(VOCABULARY_MAX),
    rows: z.boolean(),
    noise: z.boolean(),
    drafts: z.boolean(),
    judgesDrafts: z.boolean(),
    batchError: z.number().min(0).max(1),
    draftsMax: count(TEXT_MAX),
    context: z.int().min(1).max(TEXT_MAX)
  })
})

/** A vocabulary in JSON, tokens in base64. */
export const vocabularySchema = z
  .object({
    type: z.string().max(100),
    bosId: z.int().optional(),
    eosId: z.int().optional(),
    tokens: z.array(z.base64().nullable()).max(VOCABULARY_MAX)
  })
  .transform(
    ({ type, bosId, eosId, tokens }): Vocabulary => ({
      type,
      bosId,
      eosId,
      tokens: tokens.map((token) =>
        token === null ? undefined : new Uint8Array(Buffer.from(token, 'base64'))
      )
    })
  )

/** Encodes a vocabulary for `vocabularySchema`. */
export function vocabularyJson({ tokens, ...rest }: Vocabulary): object {
  const texts = Array.from(tokens, (token) =>
    token === undefined ? null : Buffer.from(token).toString('base64')
  )
  return { ...rest, tokens: texts }
}
