import { existsSync } from 'node:fs'
import { z } from 'zod'
import { readJsonObject } from '../../../formats/index.ts'
import {
  adapterSettings,
  dataSettings,
  describeSetting,
  faultsOf,
  NON_NEGATIVE_INTEGER,
  POSITIVE_INTEGER,
  POSITIVE_NUMBER,
  renoted,
  type Setting,
  type SettingSource,
  setting,
  trainingSettings
} from '../../../node/config/index.ts'
import { messageOf } from '../../../node/storage/peer-error.ts'
import { UsageError } from '../../terminal/usage-error.ts'

const count = z.number().int().positive()
const positive = z.number().positive()
const path = () => z.string().min(1)
const { steps, sequenceLength, warmupSteps, ...training } = trainingSettings.shape

/**
 * Settings of `loam train`, for `--config` and for the flags that override it: those shared with a peer, and those of a
 * run without a network.
 */
const settings = {
  model: setting(path().optional(), {
    description: 'folder of the base model',
    accepts: 'a path',
    absent: 'the model that Loam ships',
    flag: '--model <folder>'
  }),
  data: setting(path(), {
    description: 'training data: .txt, .md, .jsonl, .json, .csv or .tsv, or a folder of them',
    accepts: 'a path',
    isRequired: true,
    flag: '--data <path>'
  }),
  out: setting(path(), {
    description: 'folder for the adapter (PEFT), the log and checkpoints',
    accepts: 'a path',
    isRequired: true,
    flag: '--out <folder>'
  }),
  ...dataSettings.shape,
  ...adapterSettings.shape,
  rank: renoted(adapterSettings.shape.rank, { description: 'LoRA rank' }),
  targetModules: setting(z.array(z.string().min(1)).min(1).optional(), {
    description: 'linear modules to adapt, by name, ending or pattern, or all-linear',
    accepts: 'a list of names such as q_proj,v_proj',
    absent: 'q_proj,v_proj; for GPT-2 c_attn, for Phi qkv_proj',
    flag: '--target-modules <list>'
  }),
  rankPattern: setting(z.record(z.string(), count).optional(), {
    description: 'ranks of single modules, as in PEFT',
    accepts: 'an object such as { "v_proj": 16 }',
    absent: 'none'
  }),
  alphaPattern: setting(z.record(z.string(), positive).optional(), {
    description: 'alphas of single modules, as in PEFT',
    accepts: 'an object such as { "v_proj": 32 }',
    absent: 'none'
  }),
  rsLora: setting(z.boolean().default(false), {
    description: 'scale by alpha / √rank (rsLoRA) instead of alpha / rank',
    accepts: 'true or false',
    flag: '--rs-lora'
  }),
  steps: setting(count.optional(), {
    description: 'optimizer steps',
    accepts: POSITIVE_INTEGER,
    absent: 'as many as --epochs needs',
    flag: '--steps <n>'
  }),
  epochs: setting(positive.optional(), {
    description: 'passes over the data, in place of --steps',
    accepts: POSITIVE_NUMBER,
    absent: '1',
    flag: '--epochs <x>'
  }),
  ...training,
  sequenceLength: setting(z.number().int().min(2).optional(), {
    description: 'length of a row',
    accepts: 'an integer of at least 2',
    unit: 'tokens',
    absent: `${sequenceLength.parse(undefined)}, or the model's maximum if that is less`,
    flag: '--sequence-length <n>'
  }),
  accumulation: setting(count.default(1), {
    description: 'batches per optimizer step, whose gradients are accumulated',
    accepts: POSITIVE_INTEGER,
    flag: '--accumulation <n>'
  }),
  schedule: setting(z.enum(['cosine', 'constant']).default('cosine'), {
    description: 'learning rate after the warm-up',
    accepts: 'cosine or constant',
    flag: '--schedule <kind>'
  }),
  warmupSteps: setting(z.number().int().nonnegative().optional(), {
    description: 'steps over which the learning rate rises to its peak',
    accepts: NON_NEGATIVE_INTEGER,
    absent: '5 % of the steps',
    flag: '--warmup-steps <n>'
  }),
  seed: setting(z.number().int().nonnegative().default(1), {
    description: 'seed of the initial adapter, the order of the data and the held-out share',
    accepts: NON_NEGATIVE_INTEGER,
    flag: '--seed <n>'
  }),
  heldOut: setting(z.number().gt(0).lt(1).optional(), {
    description: 'share of the examples to evaluate on instead of training on them',
    accepts: 'a number between 0 and 1',
    absent: 'none',
    flag: '--held-out <share>'
  }),
  evalData: setting(path().optional(), {
    description: 'data to evaluate on, in place of --held-out',
    accepts: 'a path',
    absent: 'none',
    flag: '--eval-data <path>'
  }),
  evalEvery: setting(count.optional(), {
    description: 'steps between evaluations',
    accepts: POSITIVE_INTEGER,
    absent: 'before and after training only',
    flag: '--eval-every <n>'
  }),
  patience: setting(count.optional(), {
    description: 'evaluations without improvement after which training stops',
    accepts: POSITIVE_INTEGER,
    absent: 'training never stops early',
    flag: '--patience <n>'
  }),
  checkpointEvery: setting(count.optional(), {
    description: 'steps between checkpoints',
    accepts: POSITIVE_INTEGER,
    absent: 'only when interrupted',
    flag: '--checkpoint-every <n>'
  })
}

/** A check that needs several settings, reported for one of them. */
const across = (key: string, message: string) => ({ message, path: [key], params: { isAboutSeveral: true } })

const trainSettingsSchema = z
  .strictObject(settings)
  .refine(
    ({ steps, epochs }) => steps === undefined || epochs === undefined,
    across('epochs', 'set steps or epochs, not both')
  )
  .refine(
    ({ heldOut, evalData }) => heldOut === undefined || evalData === undefined,
    across('evalData', 'set heldOut or evalData, not both')
  )
  .refine(
    ({ evalEvery, heldOut, evalData }) => evalEvery === undefined || (heldOut ?? evalData) !== undefined,
    across('evalEvery', 'needs examples that are not trained on: set heldOut or evalData too')
  )
  .refine(
    ({ patience, evalEvery }) => patience === undefined || evalEvery !== undefined,
    across('patience', 'counts evaluations: set evalEvery too')
  )

export type TrainSettings = z.infer<typeof trainSettingsSchema>

/** The settings of `loam train`, from which its flags are made. */
export const TRAIN_SETTINGS: readonly Setting[] = Object.entries<z.ZodType>(settings).map(([key, schema]) =>
  describeSetting(key, schema)
)

/**
 * The settings of a file, overridden by flags.
 *
 * @param flags by setting name; undefined means not given
 * @throws {UsageError} naming every invalid setting
 */
export async function loadTrainSettings(
  file: string | undefined,
  flags: Readonly<Record<string, unknown>>
): Promise<TrainSettings> {
  const given = Object.fromEntries(Object.entries(flags).filter(([, value]) => value !== undefined))
  const values = { ...(file === undefined ? {} : readSettings(file)), ...given }
  const parsed = trainSettingsSchema.safeParse(values)
  if (parsed.success) return parsed.data
  const sources = new Map(Object.keys(given).map((key): [string, SettingSource] => [key, 'flag']))
  const known = { settings: TRAIN_SETTINGS, groups: [], listedBy: 'loam train --help' }
  const faults = parsed.error.issues.flatMap((issue) => faultsOf(issue, { ...known, values, sources, file }))
  throw new UsageError(faults.map(({ message }) => message).join('; '))
}

function readSettings(file: string): object {
  if (!existsSync(file)) throw new Error(`config file not found: ${file}`)
  try {
    return readJsonObject(file)
  } catch (error) {
    throw new UsageError(messageOf(error))
  }
}
