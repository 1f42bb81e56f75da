import { z } from 'zod'
import { setting, toggle } from '../setting.ts'
import { ACCEPTS_BYTES, byteSize } from '../units.ts'

/** At lower rates the asker of a block would time out before a piece of it arrives. */
const UPLOAD_LIMIT_MIN = 32 * 1024

/** The exchange of shard blocks. */
export const blocksSettings = z.strictObject({
  uploadLimit: setting(byteSize({ min: UPLOAD_LIMIT_MIN }).optional(), {
    description: 'upload limit for blocks, over all peers together; a peer above it is told when to retry',
    accepts: `${ACCEPTS_BYTES}, at least 32 KiB`,
    unit: 'bytes per second',
    absent: 'no limit',
    flag: '--upload-limit <size>'
  }),
  zstd: toggle(
    false,
    'compress blocks exchanged with peers that also set this: saves a fifth of bf16 shards at the cost of CPU time',
    '--zstd'
  ),
  serveBase: toggle(
    true,
    'serve the base model to members that lack it, within the upload limit',
    '--serve-base'
  )
})
