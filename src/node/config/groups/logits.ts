import { z } from 'zod'
import { setting } from '../setting.ts'
import { POSITIVE_INTEGER } from '../units.ts'

/** The logits server that this peer opens to the other members. */
export const logitsSettings = z.strictObject({
  server: setting(z.url({ protocol: /^https?$/ }).optional(), {
    description:
      'a logits server that members may use through this peer, so that their adapters can steer its model',
    accepts: 'an address such as http://127.0.0.1:8080',
    absent: 'no logits are served to members',
    flag: '--serve-logits <url>'
  }),
  apiKey: setting(z.string().min(1).optional(), {
    description: 'the API key of the logits server',
    accepts: 'a text',
    absent: 'none is shown',
    secretFrom: 'LOAM_LOGITS_KEY'
  }),
  memberPositions: setting(z.number().int().positive().default(30_000), {
    description: 'positions per minute that a member may request, drafts included',
    accepts: POSITIVE_INTEGER,
    unit: 'positions a minute'
  })
})
