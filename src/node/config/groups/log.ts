import { z } from 'zod'
import { ACCEPTS_LOG_LEVELS, parseLogLevels } from '../../log/levels.ts'
import { ROTATION_DEFAULTS } from '../../log/rotating-file.ts'
import { setting } from '../setting.ts'
import { ACCEPTS_BYTES, byteSize } from '../units.ts'

/** HOME/daemon.log. */
export const logSettings = z.strictObject({
  level: setting(
    z
      .string()
      .refine((text) => parseLogLevels(text) !== undefined)
      .default('info'),
    {
      description: 'lowest level to log, optionally with other levels for single topics',
      accepts: ACCEPTS_LOG_LEVELS,
      flag: '--log-level <levels>'
    }
  ),
  maxSize: setting(byteSize({ min: 4096 }).default(ROTATION_DEFAULTS.maxSize), {
    description: 'size at which daemon.log is rotated to daemon.log.1',
    accepts: `${ACCEPTS_BYTES}, at least 4096`,
    unit: 'bytes'
  }),
  keepFiles: setting(z.number().int().min(0).max(100).default(ROTATION_DEFAULTS.keepFiles), {
    description: 'number of rotated files to keep; daemon.log.1 is the newest',
    accepts: 'an integer from 0 to 100',
    unit: 'files'
  })
})
