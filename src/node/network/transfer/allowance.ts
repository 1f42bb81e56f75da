import type { Connection } from '@libp2p/interface'
import { BLOCK_BYTES_MAX } from '../../../adapter/index.ts'

/** Bytes that must remain of a relayed connection's limit: a request's blocks, and the votes beside them. */
const ALLOWANCE_BYTES_MIN = 8 * BLOCK_BYTES_MAX

/**
 * Whether blocks may be requested over connections that may be limited. A relay with a limit of 128 KiB would cut the
 * connection, votes included: blocks then come from better connected members.
 */
export function mayCarryBlocks(connections: readonly Pick<Connection, 'limits'>[]): boolean {
  return connections.some(({ limits }) => {
    if (limits === undefined) return true
    return limits.bytes === undefined || limits.bytes >= BigInt(ALLOWANCE_BYTES_MIN)
  })
}
