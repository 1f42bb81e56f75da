import { z } from 'zod'
import { setting } from '../setting.ts'
import { ACCEPTS_BYTES, byteSize } from '../units.ts'

/** Slower than this, a piece of a block would not be through before its asker gives up. */
const UPLOAD_LIMIT_MIN = 32 * 1024

/** The exchange of shard blocks. */
export const blocksSettings = z.strictObject({
  uploadLimit: setting(byteSize({ min: UPLOAD_LIMIT_MIN }).optional(), {
    description:
      'most that is sent of blocks in a second, to all peers together; who comes too early is told when to',
    accepts: `${ACCEPTS_BYTES}, at least 32 KiB`,
    unit: 'bytes a second',
    absent: 'no limit',
    flag: '--upload-limit <size>'
  }),
  zstd: setting(z.boolean().default(false), {
    description:
      'compress blocks on their way to and from peers that do so too: saves a fifth of bf16 shards, for processor time',
    accepts: 'true or false',
    flag: '--zstd'
  }),
  serveBase: setting(z.boolean().default(true), {
    description: 'give the base model to members that lack it; the cap on what is sent holds for it too',
    accepts: 'true or false',
    flag: '--serve-base'
  })
})
