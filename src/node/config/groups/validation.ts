import { z } from 'zod'
import { setting } from '../setting.ts'
import { ACCEPTS_DURATION, duration } from '../units.ts'

/** The check of others' updates on one's own text (rule 2 *Validate*): advice, or a veto where the charter says so. */
export const validationSettings = z.strictObject({
  heldOut: setting(z.string().min(1).optional(), {
    description: 'text that training never sees: the loss on it is measured with each update of others',
    accepts: 'a path',
    absent: 'HOME/heldout.txt where that is there, else nothing is measured',
    flag: '--held-out <file>'
  }),
  heldOutTokens: setting(z.number().int().min(16).max(65_536).default(1_024), {
    description: 'how much of it is measured with every update, from its beginning',
    accepts: 'an integer from 16 to 65536',
    unit: 'tokens'
  }),
  heldOutTimeout: setting(duration({ min: 1 }).default(60), {
    description: 'longest measurement of one update; what takes longer counts as not measured',
    accepts: `${ACCEPTS_DURATION}, at least a second`,
    unit: 'seconds'
  })
})
