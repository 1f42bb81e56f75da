import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { ADDED_SOURCE_NAMES } from '../corpus/added-texts/index.ts'

/** Kept beside the weights, so that the model card can be made again. */
const RECORD_FILE = 'training.json'

const recipeSchema = z.object({
  steps: z.number(),
  batchSize: z.number(),
  sequenceLength: z.number(),
  seed: z.number(),
  learningRate: z.number(),
  /** Steps that a cosine is spread over; where it is absent, the rate stays until the cool-down. */
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
  /** What was trained on beside the base text, in tokens once through; none where it is absent. */
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
  /** Times that a pass over all text reads the base text; 1 where it is absent. */
  baseRepeats: z.number().optional(),
  /** The smaller model that it began as, and how many times as wide it is; random weights where it is absent. */
  grownFrom: z.object({ model: z.string(), copies: z.number() }).optional(),
  /** Runs that this one went on from, first to last; the next began `share` of the way from a run's start to its end. */
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
  /** Where in the cool-down its end was moved, and to which. */
  endMoves: endMovesSchema.optional(),
  /** What trained it; Loam's own engine where it is absent. */
  engine: z.string().optional(),
  seconds: z.number(),
  threads: z.number(),
  processor: z.string(),
  /** Held-out loss during training, nats per token; of added texts on a part of what is held out. */
  heldOutLosses: heldOutLossesSchema
})

/** How a shipped model came to be: its recipe, its corpus' sizes, its time. */
export type TrainingRecord = z.infer<typeof recordSchema>

export function writeTrainingRecord(folder: string, record: TrainingRecord): void {
  writeFileSync(join(folder, RECORD_FILE), `${JSON.stringify(recordSchema.parse(record), null, 2)}\n`)
}

/** @throws {Error} when the folder holds no well-formed record */
export function readTrainingRecord(folder: string): TrainingRecord {
  return recordSchema.parse(JSON.parse(readFileSync(join(folder, RECORD_FILE), 'utf8')))
}
