import { z } from 'zod'
import { setting } from '../setting.ts'
import { POSITIVE_INTEGER, POSITIVE_NUMBER } from '../units.ts'

/** The adapter that this peer trains. */
export const adapterSettings = z.strictObject({
  rank: setting(z.number().int().positive().default(8), {
    description: 'LoRA rank of this peer, within the limits of the charter',
    accepts: POSITIVE_INTEGER,
    flag: '--rank <n>'
  }),
  alpha: setting(z.number().positive().optional(), {
    description: 'LoRA alpha',
    accepts: POSITIVE_NUMBER,
    absent: 'twice the rank',
    flag: '--alpha <x>'
  })
})
