import { z } from 'zod'
import { setting } from '../setting.ts'
import { POSITIVE_INTEGER } from '../units.ts'

/** The logits server that this peer opens to the other members. */
export const logitsSettings = z.strictObject({
  server: setting(z.url({ protocol: /^https?$/ }).optional(), {
    description:
      'a logits server that members may use through this peer, to have their adapters steer its model',
    accepts: 'an address such as http://127.0.0.1:8080',
    absent: 'members are served no logits',
    flag: '--serve-logits <url>'
  }),
  apiKey: setting(z.string().min(1).optional(), {
    description: 'the API key that the logits server asks for',
    accepts: 'a text',
    absent: 'none is shown',
    secretFrom: 'LOAM_LOGITS_KEY'
  }),
  memberPositions: setting(z.number().int().positive().default(30_000), {
    description: 'positions of texts that a member is told of in a minute, drafts included',
    accepts: POSITIVE_INTEGER,
    unit: 'positions a minute'
  })
})
