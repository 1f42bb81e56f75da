import { z } from 'zod'
import { setting } from '../setting.ts'
import { ACCEPTS_DURATION, duration } from '../units.ts'

/** What stays on disk, and for how long. The charter's `retain` sets for how many rounds blocks must be served. */
export const storageSettings = z.strictObject({
  pruneEvery: setting(duration({ min: 1 }).default(3_600), {
    description: 'time between two prunings of blocks and files that no member needs any longer',
    accepts: `${ACCEPTS_DURATION}, at least a second`,
    unit: 'seconds',
    flag: '--prune-every <time>'
  }),
  keepYoung: setting(duration().default(3_600), {
    description: 'blocks younger than this are kept: their manifest may not have arrived yet',
    accepts: ACCEPTS_DURATION,
    unit: 'seconds'
  }),
  keepStacks: setting(z.number().int().min(1).default(16), {
    description:
      'number of rounds whose stacks are kept on disk; without them loam adapter export derives the adapter from the weights',
    accepts: 'a positive integer',
    unit: 'rounds',
    flag: '--keep-stacks <n>'
  })
})
