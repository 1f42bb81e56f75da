import { z } from 'zod'
import { setting } from '../setting.ts'
import { ACCEPTS_DURATION, duration } from '../units.ts'

/** What `validation.heldOut` says for "measure nothing, and keep nothing back". */
export const NO_HELD_OUT = '0'

/** The check of others' updates on one's own text (rule 2 *Validate*): advice, or a veto where the charter says so. */
export const validationSettings = z.strictObject({
  heldOut: setting(z.string().min(1).optional(), {
    description: 'text that training never sees: the loss on it is measured with each update of others',
    accepts: 'a path, or 0 to measure nothing',
    absent:
      'HOME/heldout.txt where that is there, else up to 5 % of the documents are kept back if the charter has a held-out veto',
    flag: '--held-out <file>'
  }),
  heldOutTokens: setting(z.number().int().min(16).max(65_536).default(1_024), {
    description: 'how much of it is measured with every update, and the most that is kept back',
    accepts: 'an integer from 16 to 65536',
    unit: 'tokens'
  }),
  heldOutTimeout: setting(duration({ min: 1 }).default(60), {
    description: 'longest measurement of one update; what takes longer counts as not measured',
    accepts: `${ACCEPTS_DURATION}, at least a second`,
    unit: 'seconds'
  })
})
