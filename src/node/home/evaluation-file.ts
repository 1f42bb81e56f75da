import { existsSync } from 'node:fs'
import { mkdir, readFile } from 'node:fs/promises'
import { z } from 'zod'
import { writeFileAtomic } from '../storage/atomic-file.ts'
import { type Home, roundFiles } from './home.ts'

const nats = z.number().nullable()

const evaluationSchema = z.object({
  version: z.literal(1),
  round: z.number().int().min(1),
  /** Identifies the held-out text: only losses on the same one compare. */
  text: z.string().regex(/^[0-9a-f]{16}$/),
  /** Tokens scored for `base` and `start`. */
  tokens: z.number().int().min(1),
  base: nats,
  start: nats,
  own: nats,
  updates: z.array(
    z.object({ peerId: z.string(), before: z.number(), after: z.number(), isRefused: z.boolean() })
  )
})

/**
 * What a peer measured on its held-out text in one round; losses in nats per token, null where not measured: of the
 * base model, of the model that the round starts from, of that model with the peer's own update, and with each received
 * one.
 */
export type RoundEvaluation = Readonly<z.infer<typeof evaluationSchema>>

/** Stores what was measured in a round so far. */
export async function saveEvaluation(home: Home, evaluation: RoundEvaluation): Promise<void> {
  const { folder, evaluation: path } = roundFiles(home, evaluation.round)
  await mkdir(folder, { recursive: true })
  await writeFileAtomic(path, new TextEncoder().encode(`${JSON.stringify(evaluation)}\n`))
}

/** What was measured in a round; undefined if nothing was, or the file is damaged. */
export async function readEvaluation(home: Home, round: number): Promise<RoundEvaluation | undefined> {
  const path = roundFiles(home, round).evaluation
  if (!existsSync(path)) return undefined
  try {
    return evaluationSchema.safeParse(JSON.parse(await readFile(path, 'utf8'))).data
  } catch {
    return undefined
  }
}

/** Losses of a sealed round on this peer's held-out text, nats per token; null where not measured. */
export interface SealedLosses {
  readonly base: number | null
  /** Of the model that the round sealed. */
  readonly sealed: number | null
  /** Of the model that the round started from, and of that one with this peer's own update. */
  readonly start: number | null
  readonly own: number | null
}

/** The losses of a sealed round; the model that it sealed is the one that the next round starts from. */
export async function sealedLosses(home: Home, round: number): Promise<SealedLosses> {
  const [here, next] = await Promise.all([readEvaluation(home, round), readEvaluation(home, round + 1)])
  return {
    base: next?.base ?? here?.base ?? null,
    sealed: next?.start ?? null,
    start: here?.start ?? null,
    own: here?.own ?? null
  }
}
