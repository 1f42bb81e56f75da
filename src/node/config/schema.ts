import { z } from 'zod'
import { adapterSettings } from './groups/adapter.ts'
import { blocksSettings } from './groups/blocks.ts'
import { controlSettings } from './groups/control.ts'
import { dataSettings } from './groups/data.ts'
import { logSettings } from './groups/log.ts'
import { logitsSettings } from './groups/logits.ts'
import { metricsSettings } from './groups/metrics.ts'
import { networkSettings } from './groups/network.ts'
import { storageSettings } from './groups/storage.ts'
import { trainingSettings } from './groups/training.ts'
import { validationSettings } from './groups/validation.ts'
import { describeSetting, type Setting, setting } from './setting.ts'
import { POSITIVE_INTEGER } from './units.ts'

/** What a peer trains, and on what. */
const ownSettings = {
  model: setting(z.string().min(1), {
    description: 'folder of the base model',
    accepts: 'a path',
    absent: "the model that Loam ships if it is the charter's, else the charter's, fetched into HOME/base",
    flag: '--model <folder>'
  }),
  documents: setting(z.string().min(1).optional(), {
    description: 'training documents: text, JSONL, JSON or CSV, in a file or a folder',
    accepts: 'a path',
    absent: 'HOME/documents.jsonl',
    flag: '--data <path>'
  }),
  trainer: setting(z.string().trim().min(1).optional(), {
    description:
      'the program that trains (docs/trainers.md), started in a shell; attach for one that is already running',
    accepts: 'a command, or attach',
    absent: 'the built-in trainer',
    flag: '--trainer <command>'
  }),
  rounds: setting(z.number().int().positive().optional(), {
    description: 'last round to train in; afterwards only serve',
    accepts: POSITIVE_INTEGER,
    absent: 'no end',
    flag: '--rounds <n>'
  })
}

/** The groups of `peer.json`. A new setting goes into its group's file only: flags and documents follow from it. */
const groups = {
  data: dataSettings,
  adapter: adapterSettings,
  training: trainingSettings,
  validation: validationSettings,
  network: networkSettings,
  blocks: blocksSettings,
  storage: storageSettings,
  control: controlSettings,
  metrics: metricsSettings,
  logits: logitsSettings,
  log: logSettings
}

/** A peer's settings: one schema for `peer.json` and for the flags over it. */
export const peerConfigSchema = z.strictObject({
  version: z.literal(1).default(1),
  ...ownSettings,
  data: groups.data.prefault({}),
  adapter: groups.adapter.prefault({}),
  training: groups.training.prefault({}),
  validation: groups.validation.prefault({}),
  network: groups.network.prefault({}),
  blocks: groups.blocks.prefault({}),
  logits: groups.logits.prefault({}),
  storage: groups.storage.prefault({}),
  control: groups.control.prefault({}),
  metrics: groups.metrics.prefault({}),
  log: groups.log.prefault({})
})

export type PeerConfig = z.infer<typeof peerConfigSchema>
export type TrainingConfig = PeerConfig['training']
export type ControlConfig = PeerConfig['control']
export type MetricsConfig = PeerConfig['metrics']
export type DataConfig = PeerConfig['data']

/** All settings, in the order of the schema. */
export const SETTINGS: readonly Setting[] = [
  ...Object.entries(ownSettings).map(([key, schema]) => describeSetting(key, schema)),
  ...Object.entries(groups).flatMap(([group, { shape }]) =>
    Object.entries<z.ZodType>(shape).map(([name, schema]) => describeSetting(`${group}.${name}`, schema))
  )
]

/** Names of the groups. */
export const GROUP_NAMES: readonly string[] = Object.keys(groups)

/** The default alpha: twice the rank, as in LoRA's and FLoRA's experiments. */
const ALPHA_PER_RANK = 2

/** The LoRA alpha of an adapter's settings. */
export function alphaOf({ rank, alpha }: PeerConfig['adapter']): number {
  return alpha ?? ALPHA_PER_RANK * rank
}
