import { z } from 'zod'
import { DEVICE_NAMES, EXECUTOR_NAMES } from '../../../model/executor/choice.ts'
import { BASE_FORMATS } from '../../../model/weights/base-format.ts'
import { setting, toggle } from '../setting.ts'
import {
  NON_NEGATIVE_INTEGER,
  NON_NEGATIVE_NUMBER,
  POSITIVE_INTEGER,
  POSITIVE_NUMBER,
  SHARE
} from '../units.ts'

/**
 * How an adapter is trained: the settings of a peer, from which `loam train` and `loam testnet` derive theirs, with the
 * same checks and defaults.
 */
export const trainingSettings = z.strictObject({
  steps: setting(z.number().int().positive().default(40), {
    description: 'optimizer steps per round',
    accepts: POSITIVE_INTEGER,
    flag: '--steps <n>'
  }),
  batchSize: setting(z.number().int().positive().default(8), {
    description: 'rows per batch',
    accepts: POSITIVE_INTEGER,
    flag: '--batch-size <n>'
  }),
  sequenceLength: setting(z.number().int().min(2).default(128), {
    description: 'length of a row',
    accepts: 'an integer of at least 2',
    unit: 'tokens',
    flag: '--sequence-length <n>'
  }),
  learningRate: setting(z.number().positive().default(3e-3), {
    description: 'peak learning rate',
    accepts: POSITIVE_NUMBER,
    flag: '--learning-rate <x>'
  }),
  warmupSteps: setting(z.number().int().min(0).default(4), {
    description: 'steps over which the learning rate rises to its peak',
    accepts: NON_NEGATIVE_INTEGER,
    flag: '--warmup-steps <n>'
  }),
  clipNorm: setting(z.number().positive().default(1), {
    description: 'limit of the global gradient norm',
    accepts: POSITIVE_NUMBER,
    flag: '--clip-norm <x>'
  }),
  weightDecay: setting(z.number().min(0).default(0), {
    description: 'weight decay of AdamW',
    accepts: NON_NEGATIVE_NUMBER,
    flag: '--weight-decay <x>'
  }),
  dropout: setting(z.number().min(0).lt(1).default(0), {
    description: 'dropout probability on the input of the LoRA layers',
    accepts: SHARE,
    flag: '--dropout <p>'
  }),
  recompute: toggle(
    false,
    'recompute activations in the backward pass: less memory, slower steps',
    '--recompute'
  ),
  baseFormat: setting(z.enum(BASE_FORMATS).default('f32'), {
    description: 'format of the frozen base weights during training; merged weights stay float32',
    accepts: `one of ${BASE_FORMATS.join(', ')}`,
    flag: '--base-format <format>'
  }),
  threads: setting(z.number().int().positive().max(256).default(1), {
    description: 'threads used for training',
    accepts: 'an integer from 1 to 256',
    flag: '--threads <n>'
  }),
  executor: setting(z.enum(EXECUTOR_NAMES).optional(), {
    description: 'compute backend; see loam doctor',
    accepts: `one of ${EXECUTOR_NAMES.join(', ')}`,
    absent: 'the best that works here',
    flag: '--executor <name>'
  }),
  device: setting(z.enum(DEVICE_NAMES).optional(), {
    description: 'device of the executor; see loam doctor',
    accepts: `one of ${DEVICE_NAMES.join(', ')}`,
    absent: 'the CPU',
    flag: '--device <name>'
  })
})

/** Defaults of the training settings. */
export const TRAINING_DEFAULTS = trainingSettings.parse({})
