import { z } from 'zod'
import { DEVICE_NAMES, EXECUTOR_NAMES } from '../../../model/executor/choice.ts'
import { BASE_FORMATS } from '../../../model/weights/base-format.ts'
import { setting } from '../setting.ts'

const FROM_ONE = 'a whole number from 1'
const POSITIVE = 'a positive number'

/** How this peer trains in each round. */
export const trainingSettings = z.strictObject({
  steps: setting(z.number().int().positive().default(40), {
    description: 'optimizer steps a round',
    accepts: FROM_ONE,
    flag: '--steps <n>'
  }),
  batchSize: setting(z.number().int().positive().default(8), {
    description: 'rows a step',
    accepts: FROM_ONE,
    flag: '--batch-size <n>'
  }),
  sequenceLength: setting(z.number().int().min(2).default(128), {
    description: 'length of a row',
    accepts: 'a whole number from 2',
    unit: 'tokens',
    flag: '--sequence-length <n>'
  }),
  learningRate: setting(z.number().positive().default(3e-3), {
    description: 'peak learning rate',
    accepts: POSITIVE,
    flag: '--learning-rate <x>'
  }),
  warmupSteps: setting(z.number().int().min(0).default(4), {
    description: 'steps in which the learning rate rises to its peak',
    accepts: 'a whole number from 0'
  }),
  clipNorm: setting(z.number().positive().default(1), {
    description: 'largest norm of a step’s gradient',
    accepts: POSITIVE
  }),
  weightDecay: setting(z.number().min(0).default(0), {
    description: 'weight decay of AdamW',
    accepts: 'a number from 0'
  }),
  dropout: setting(z.number().min(0).lt(1).default(0), {
    description: 'share of what the adapter reads that is dropped in a step',
    accepts: 'a number from 0 to below 1',
    flag: '--dropout <share>'
  }),
  recompute: setting(z.boolean().default(false), {
    description: 'keep of each layer its input only and compute it again: less memory, a slower step',
    accepts: 'true or false',
    flag: '--recompute'
  }),
  baseFormat: setting(z.enum(BASE_FORMATS).default('f32'), {
    description: 'how the trainer holds the base weights; what is merged and sealed stays float32',
    accepts: `one of ${BASE_FORMATS.join(', ')}`,
    flag: '--base-format <format>'
  }),
  threads: setting(z.number().int().positive().default(1), {
    description: 'threads of the trainer',
    accepts: FROM_ONE,
    flag: '--threads <n>'
  }),
  executor: setting(z.enum(EXECUTOR_NAMES).optional(), {
    description: 'what computes; loam doctor shows what works',
    accepts: `one of ${EXECUTOR_NAMES.join(', ')}`,
    absent: 'the best that works here',
    flag: '--executor <name>'
  }),
  device: setting(z.enum(DEVICE_NAMES).optional(), {
    description: 'where it computes',
    accepts: `one of ${DEVICE_NAMES.join(', ')}`,
    absent: 'the processor',
    flag: '--device <name>'
  })
})
