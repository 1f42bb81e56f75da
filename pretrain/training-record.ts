import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'

/** Kept beside the weights, so that the model card can be made again. */
const RECORD_FILE = 'training.json'

const recordSchema = z.object({
  recipe: z.object({
    steps: z.number(),
    batchSize: z.number(),
    sequenceLength: z.number(),
    seed: z.number(),
    learningRate: z.number(),
    horizonSteps: z.number(),
    cooldownSteps: z.number(),
    warmupSteps: z.number(),
    finalShare: z.number(),
    weightDecay: z.number(),
    beta1: z.number(),
    beta2: z.number(),
    clipNorm: z.number()
  }),
  /** Pretraining documents and their UTF-8 bytes. */
  corpus: z.object({
    trainDocuments: z.number(),
    trainBytes: z.number(),
    trainTokens: z.number(),
    heldOutDocuments: z.number(),
    heldOutBytes: z.number()
  }),
  seconds: z.number(),
  threads: z.number(),
  processor: z.string(),
  /** Held-out loss during training, nats per token. */
  heldOutLosses: z.array(z.object({ step: z.number(), nats: z.number() }))
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
