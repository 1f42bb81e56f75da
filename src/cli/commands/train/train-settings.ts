import { readFile } from 'node:fs/promises'
import { z } from 'zod'
import { PACKINGS } from '../../../data/packing/example-stream.ts'
import { RECORD_FORMATS } from '../../../data/records/formats.ts'
import { recordTemplateSchema } from '../../../data/records/template.ts'
import { BASE_FORMATS } from '../../../model/weights/base-format.ts'
import { NotFittingError } from '../../terminal/usage-error.ts'

const count = z.int().positive()
const positive = z.number().positive()

/** Settings of `loam train`: one schema for `--config` and for the flags over it. */
export const trainSettingsSchema = z
  .strictObject({
    model: z.string().min(1).optional().describe('folder of the base model'),
    data: z.string().min(1).describe('file or folder of training data'),
    out: z.string().min(1).describe('folder for the adapter'),
    format: z.enum(RECORD_FORMATS).optional(),
    template: recordTemplateSchema.optional(),
    chatTemplate: z.string().min(1).optional(),
    rank: count.default(8),
    alpha: positive.optional(),
    targetModules: z.array(z.string().min(1)).min(1).optional(),
    rankPattern: z.record(z.string(), count).optional(),
    alphaPattern: z.record(z.string(), positive).optional(),
    rsLora: z.boolean().default(false),
    dropout: z.number().nonnegative().lt(1).default(0),
    recompute: z.boolean().default(false),
    baseFormat: z.enum(BASE_FORMATS).default('f32'),
    steps: count.optional(),
    epochs: positive.optional(),
    batchSize: count.default(8),
    accumulation: count.default(1),
    sequenceLength: z.int().min(2).optional(),
    packing: z.enum(PACKINGS).optional(),
    loss: z.enum(['completions', 'all']).default('completions'),
    learningRate: positive.default(1e-3),
    schedule: z.enum(['cosine', 'constant']).default('cosine'),
    warmupSteps: z.int().nonnegative().optional(),
    weightDecay: z.number().nonnegative().default(0),
    clipNorm: positive.default(1),
    seed: z.int().nonnegative().default(1),
    heldOut: z.number().gt(0).lt(1).optional(),
    evalData: z.string().min(1).optional(),
    evalEvery: count.optional(),
    patience: count.optional(),
    checkpointEvery: count.optional(),
    threads: count.default(1)
  })
  .refine(({ steps, epochs }) => steps === undefined || epochs === undefined, {
    message: 'set steps or epochs, not both',
    path: ['epochs']
  })
  .refine(({ heldOut, evalData }) => heldOut === undefined || evalData === undefined, {
    message: 'set heldOut or evalData, not both',
    path: ['evalData']
  })
  .refine(
    ({ evalEvery, heldOut, evalData }) => evalEvery === undefined || (heldOut ?? evalData) !== undefined,
    {
      message: 'needs examples that are not trained on: set heldOut or evalData too',
      path: ['evalEvery']
    }
  )
  .refine(({ patience, evalEvery }) => patience === undefined || evalEvery !== undefined, {
    message: 'counts evaluations: set evalEvery too',
    path: ['patience']
  })

export type TrainSettings = z.infer<typeof trainSettingsSchema>

/**
 * The settings of a file with the flags over them.
 *
 * @param flags by the settings' names; what is undefined counts as not given
 * @throws {NotFittingError} naming the setting that does not fit
 */
export async function loadTrainSettings(
  file: string | undefined,
  flags: Readonly<Record<string, unknown>>
): Promise<TrainSettings> {
  const given = Object.fromEntries(Object.entries(flags).filter(([, value]) => value !== undefined))
  const parsed = trainSettingsSchema.safeParse({
    ...(file === undefined ? {} : await readSettings(file)),
    ...given
  })
  if (parsed.success) return parsed.data
  const [issue] = parsed.error.issues
  const key = issue?.path.join('.') ?? ''
  if (issue?.code === 'invalid_type' && issue.path.length === 1 && !(key in given) && file === undefined)
    throw new NotFittingError(`--${flagOf(key)} is missing`)
  const source = file === undefined || key in given ? `--${flagOf(key)}` : `${file}: ${key || 'settings'}`
  throw new NotFittingError(`${source}: ${issue?.message}`)
}

function flagOf(key: string): string {
  return key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)
}

async function readSettings(file: string): Promise<Record<string, unknown>> {
  let text: string
  try {
    text = await readFile(file, 'utf8')
  } catch {
    throw new Error(`there is no config file ${file}`)
  }
  try {
    return z.record(z.string(), z.unknown()).parse(JSON.parse(text))
  } catch {
    throw new NotFittingError(`${file} must hold one JSON object of settings`)
  }
}
