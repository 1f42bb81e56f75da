import { z } from 'zod'
import { setting } from '../setting.ts'

/** The adapter that this peer trains. */
export const adapterSettings = z.strictObject({
  rank: setting(z.number().int().positive().default(8), {
    description: 'LoRA rank of this peer; the charter says what is allowed',
    accepts: 'a whole number from 1',
    flag: '--rank <n>'
  }),
  alpha: setting(z.number().positive().optional(), {
    description: 'LoRA alpha',
    accepts: 'a positive number',
    absent: 'twice the rank',
    flag: '--alpha <x>'
  })
})
