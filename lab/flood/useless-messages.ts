import { randomBytes } from 'node:crypto'
import type { RoundContext, Signer } from '../../src/protocol/index.ts'
import { signMessage } from '../../src/protocol/messages/message.ts'

/** First of the views that no round of a test reaches. */
const FAR_AHEAD = 1_000

/** A source of valid but useless messages. */
export const FLOODS = ['gossip', 'sync'] as const
export type Flood = (typeof FLOODS)[number]

/**
 * A member's votes for cuts that do not exist, each in a later view than the one before: all are valid, each replaces the last.
 */
export function* uselessVotes(context: RoundContext, signer: Signer): Generator<Uint8Array> {
  for (let view = FAR_AHEAD; ; view++)
    yield signMessage(context, signer, view % 2 === 0 ? 'prevote' : 'precommit', view, {
      cut: randomBytes(32)
    }).bytes
}
