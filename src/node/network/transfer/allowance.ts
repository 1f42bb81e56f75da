import type { Connection } from '@libp2p/interface'
import { BLOCK_BYTES_MAX } from '../../../adapter/index.ts'

/** What must be left of a relayed connection's allowance: a request's blocks, and the votes that go beside them. */
const ALLOWANCE_BYTES_MIN = 8 * BLOCK_BYTES_MAX

/**
 * Whether blocks may be asked over connections of which somebody limits some. A relay that allows 128 KiB would cut its
 * connection off, votes and all: then blocks come from members that are connected better.
 */
export function mayCarryBlocks(connections: readonly Pick<Connection, 'limits'>[]): boolean {
  return connections.some(({ limits }) => {
    if (limits === undefined) return true
    return limits.bytes === undefined || limits.bytes >= BigInt(ALLOWANCE_BYTES_MIN)
  })
}
