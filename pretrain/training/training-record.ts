import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { ADDED_SOURCE_NAMES } from '../corpus/added-texts/index.ts'

/** Stored next to the weights, so that the model card can be regenerated. */
const RECORD_FILE = 'training.json'

const recipeSchema = z.object({
  steps: z.number(),
  batchSize: z.number(),
  sequenceLength: z.number(),
  seed: z.number(),
  learningRate: z.number(),
  /** Length of the cosine in steps; if absent, the rate is constant until the cool-down. */
  horizonSteps: z.number().optional(),
  cooldownSteps: z.number(),
  warmupSteps: z.number(),
  finalShare: z.number(),
  weightDecay: z.number(),
  beta1: z.number(),
  beta2: z.number(),
  clipNorm: z.number()
})

const heldOutLossesSchema = z.array(
  z.object({
    step: z.number(),
    nats: z.number(),
    addedTexts: z.partialRecord(z.enum(ADDED_SOURCE_NAMES), z.number()).optional()
  })
)

const endMovesSchema = z.array(z.object({ step: z.number(), steps: z.number(), cooldownSteps: z.number() }))

const recordSchema = z.object({
  recipe: recipeSchema,
  /** Pretraining documents and their UTF-8 bytes. */
  corpus: z.object({
    trainDocuments: z.number(),
    trainBytes: z.number(),
    trainTokens: z.number(),
    heldOutDocuments: z.number(),
    heldOutBytes: z.number()
  }),
  /** Texts trained on in addition to the base text, with their tokens in one pass; none if absent. */
  addedTexts: z
    .array(
      z.object({
        source: z.enum(ADDED_SOURCE_NAMES),
        documents: z.number(),
        bytes: z.number(),
        tokens: z.number(),
        heldOutDocuments: z.number(),
        heldOutBytes: z.number()
      })
    )
    .optional(),
  /** Number of times that a pass over all text reads the base text; 1 if absent. */
  baseRepeats: z.number().optional(),
  /** The smaller model that it was grown from, and the widening factor; if absent, it started from random weights. */
  grownFrom: z.object({ model: z.string(), copies: z.number() }).optional(),
  /**
   * Earlier runs that this one continued, in order; each next run started at the fraction `share` between a run's start
   * and end.
   */
  earlier: z
    .array(
      z.object({
        recipe: recipeSchema,
        endMoves: endMovesSchema,
        step: z.number(),
        seconds: z.number(),
        share: z.number(),
        heldOutLosses: heldOutLossesSchema
      })
    )
    .optional(),
  /** Steps of the cool-down at which its end was moved, and the new ends. */
  endMoves: endMovesSchema.optional(),
  /** The engine that trained it; Loam's own if absent. */
  engine: z.string().optional(),
  seconds: z.number(),
  threads: z.number(),
  processor: z.string(),
  /** Held-out loss during training, nats per token; for added texts, on a part of the held-out text. */
  heldOutLosses: heldOutLossesSchema
})

/** How a shipped model was trained: recipe, corpus sizes and time. */
export type TrainingRecord = z.infer<typeof recordSchema>

export function writeTrainingRecord(folder: string, record: TrainingRecord): void {
  writeFileSync(join(folder, RECORD_FILE), `${JSON.stringify(recordSchema.parse(record), null, 2)}\n`)
}

/** @throws {Error} if the folder has no valid record */
export function readTrainingRecord(folder: string): TrainingRecord {
  return recordSchema.parse(JSON.parse(readFileSync(join(folder, RECORD_FILE), 'utf8')))
}
