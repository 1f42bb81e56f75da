import { z } from 'zod'
import { setting, toggle } from '../setting.ts'

/** A shorter token could be guessed. */
const TOKEN_CHARACTERS_MIN = 32

/** The control API: what `loam status`, `peers`, `rounds` and `logs` ask, and where metrics are read. */
export const controlSettings = z.strictObject({
  enabled: toggle(true, 'serve the control API to this machine', '--control'),
  port: setting(z.number().int().min(0).max(65_535).default(0), {
    description: 'its TCP port on 127.0.0.1; 0 picks a free one',
    accepts: 'an integer from 0 to 65535',
    flag: '--control-port <n>'
  }),
  socket: setting(z.string().min(1).max(100).optional(), {
    description: 'serve it on a unix socket instead of a port',
    accepts: 'a path of at most 100 bytes',
    absent: 'the port is used',
    flag: '--control-socket <path>'
  }),
  token: setting(z.string().min(TOKEN_CHARACTERS_MIN).optional(), {
    description: 'the token that clients of the control API must send',
    accepts: `a text of at least ${TOKEN_CHARACTERS_MIN} characters`,
    absent: 'generated once, in HOME/control.token',
    secretFrom: 'LOAM_CONTROL_TOKEN'
  })
})
