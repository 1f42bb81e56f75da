import { z } from 'zod'
import { setting } from '../setting.ts'
import { ACCEPTS_DURATION, duration } from '../units.ts'

/** What `validation.heldOut` says for "measure nothing, and keep nothing back". */
export const NO_HELD_OUT = '0'

/**
 * The check of others' updates against this peer's own text (rule 2 *Validate*): a warning, or a veto if the charter
 * says so.
 */
export const validationSettings = z.strictObject({
  heldOut: setting(z.string().min(1).optional(), {
    description: 'text never trained on: the model and each received update are evaluated by the loss on it',
    accepts: 'a path, or 0 to measure nothing',
    absent: 'HOME/heldout.txt if it exists, else up to 5 % of the documents, kept back from training',
    flag: '--held-out <file>'
  }),
  heldOutTokens: setting(z.number().int().min(16).max(65_536).default(1_024), {
    description:
      'how much of that text to measure per update, less if more than 4 members train, and the maximum to keep back',
    accepts: 'an integer from 16 to 65536',
    unit: 'tokens'
  }),
  heldOutTimeout: setting(duration({ min: 1 }).default(60), {
    description: 'time limit for measuring one update; an update that takes longer counts as not measured',
    accepts: `${ACCEPTS_DURATION}, at least a second`,
    unit: 'seconds'
  })
})
