import { createHash } from 'node:crypto'
import { copyFileSync, mkdirSync, readFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { join } from 'node:path'
import { z } from 'zod'
import { loadBaseModel } from '../../src/model/index.ts'
import { ADDED_SOURCE_NAMES } from '../corpus/added-texts/index.ts'
import { type TrainingRecord, writeTrainingRecord } from '../training/training-record.ts'

/** Files of the smaller model that the larger one shares byte for byte. */
const SHARED_FILES = ['tokenizer.json', 'tokenizer_config.json', 'generation_config.json'] as const
/** Files written by torch/train.py for other programs. */
const TRAINED_FILES = ['config.json', 'model.safetensors'] as const

const addedLosses = z.partialRecord(z.enum(ADDED_SOURCE_NAMES), z.number())

const recipeSchema = z.looseObject({ repeatBase: z.number(), grownFrom: z.string(), copies: z.number() })
const lossesSchema = z.array(z.looseObject({ step: z.number(), base: z.number() }))

const endMovesSchema = z.array(z.object({ step: z.number(), steps: z.number(), cooldownSteps: z.number() }))

/** run.json of torch/train.py. */
const runSchema = z.object({
  engine: z.string(),
  recipe: recipeSchema,
  earlier: z.array(
    z.object({
      recipe: recipeSchema,
      endMoves: endMovesSchema,
      step: z.number(),
      seconds: z.number(),
      share: z.number(),
      heldOutLosses: lossesSchema
    })
  ),
  endMoves: endMovesSchema,
  seconds: z.number(),
  threads: z.number(),
  heldOutLosses: lossesSchema
})

/** tokens.json, which export-tokens.ts writes. */
const manifestSchema = z.object({
  tokenizerSha256: z.string(),
  groups: z.array(
    z.object({
      name: z.enum(['base', ...ADDED_SOURCE_NAMES]),
      trainDocuments: z.number(),
      trainBytes: z.number(),
      trainTokens: z.number(),
      heldoutDocuments: z.number(),
      heldoutBytes: z.number()
    })
  )
})

/** Paths of the parts of a model trained by torch/train.py. */
export interface ModelParts {
  /** Output folder of torch/train.py. */
  readonly trained: string
  /** Folder of the token files that it read. */
  readonly tokens: string
  /** Folder of the smaller model, which has the same tokenizer. */
  readonly smaller: string
  readonly out: string
}

/**
 * Creates a Hugging Face folder for a model trained by torch/train.py: its config and weights, the smaller model's
 * tokenizer, and the record of its training. The folder is loaded once to check that Loam can read it.
 *
 * @throws {Error} if the tokens were exported with another tokenizer, a file is malformed, or Loam cannot load the
 * folder
 */
export function assembleModel({ trained, tokens, smaller, out }: ModelParts): void {
  const manifest = manifestSchema.parse(readJson(join(tokens, 'tokens.json')))
  const digest = createHash('sha256')
    .update(readFileSync(join(smaller, 'tokenizer.json')))
    .digest('hex')
  if (digest !== manifest.tokenizerSha256)
    throw new Error(
      `the tokens in ${tokens} were exported with a tokenizer other than that of ${smaller}: pass the same folder as --tokenizer to npm run pretrain -- tokens`
    )
  mkdirSync(out, { recursive: true })
  for (const name of SHARED_FILES) copyFileSync(join(smaller, name), join(out, name))
  for (const name of TRAINED_FILES) copyFileSync(join(trained, name), join(out, name))
  writeTrainingRecord(out, trainingRecord(readJson(join(trained, 'run.json')), manifest))
  loadBaseModel(out)
}

function trainingRecord(runJson: unknown, { groups }: z.infer<typeof manifestSchema>): TrainingRecord {
  const { recipe, earlier, endMoves, heldOutLosses, engine, seconds, threads } = runSchema.parse(runJson)
  const { repeatBase, grownFrom, copies } = recipe
  const base = groups.find(({ name }) => name === 'base')!
  return {
    recipe: sharedRecipe(recipe),
    corpus: {
      trainDocuments: base.trainDocuments,
      trainBytes: base.trainBytes,
      trainTokens: base.trainTokens,
      heldOutDocuments: base.heldoutDocuments,
      heldOutBytes: base.heldoutBytes
    },
    addedTexts: groups.flatMap(({ name, ...sizes }) =>
      name === 'base'
        ? []
        : [
            {
              source: name,
              documents: sizes.trainDocuments,
              bytes: sizes.trainBytes,
              tokens: sizes.trainTokens,
              heldOutDocuments: sizes.heldoutDocuments,
              heldOutBytes: sizes.heldoutBytes
            }
          ]
    ),
    baseRepeats: repeatBase,
    grownFrom: { model: grownFrom, copies },
    earlier: earlier.map((run) => ({
      ...run,
      recipe: sharedRecipe(run.recipe),
      heldOutLosses: namedLosses(run.heldOutLosses)
    })),
    endMoves,
    engine,
    seconds,
    threads,
    processor: cpus()[0]?.model.trim() ?? 'unknown',
    heldOutLosses: namedLosses(heldOutLosses)
  }
}

/** The part of a recipe shared with those of Loam's own engine. */
function sharedRecipe({
  repeatBase,
  grownFrom,
  copies,
  ...rest
}: z.infer<typeof recipeSchema>): TrainingRecord['recipe'] {
  // Checked when the record is written.
  return rest as unknown as TrainingRecord['recipe']
}

function namedLosses(losses: z.infer<typeof lossesSchema>): TrainingRecord['heldOutLosses'] {
  return losses.map(({ step, base, ...others }) => ({
    step,
    nats: base,
    addedTexts: addedLosses.parse(others)
  }))
}

function readJson(path: string): unknown {
  return JSON.parse(readFileSync(path, 'utf8'))
}
