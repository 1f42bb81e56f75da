import { z } from 'zod'

/** The exchange of shard blocks. */
export const blocksSettings = z.strictObject({})
