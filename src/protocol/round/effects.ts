import type { Certificate, Cut } from '../messages/bodies.ts'
import type { Message } from '../messages/message.ts'
import type { RoundContext } from '../round-context.ts'
import type { SealedRound } from '../sealed-round.ts'

/** What must be durable before the effects after it are carried out. */
export type LogRecord =
  | { readonly type: 'signed'; readonly envelope: Uint8Array }
  /** The cut that is valid, and locked where a precommit of the same view follows (rule 5 *Vote*). */
  | { readonly type: 'valid'; readonly round: number; readonly view: number; readonly cut: Cut }

/** What the shell is to do, in this order. */
export type Effect =
  | { readonly type: 'persist'; readonly record: LogRecord }
  | { readonly type: 'broadcast'; readonly message: Message }
  /** Get every block of a manifest, make it durable, validate it, then report `blocksHeld`. */
  | { readonly type: 'fetch'; readonly message: Message<'manifest'> }
  | { readonly type: 'train'; readonly context: RoundContext }
  | { readonly type: 'cancelTraining' }
  | { readonly type: 'timer'; readonly round: number; readonly timer: string; readonly milliseconds: number }
  /** Stack and merge the cut; all its blocks are held. */
  | {
      readonly type: 'build'
      readonly context: RoundContext
      readonly cut: Cut
      readonly cutId: Uint8Array
      readonly manifests: readonly Message<'manifest'>[]
    }
  | { readonly type: 'certified'; readonly certificate: Certificate }
  | { readonly type: 'sealed'; readonly context: RoundContext; readonly sealedRound: SealedRound }
  /** Two conflicting messages that one member signed (rule 10 *Evidence*). */
  | { readonly type: 'equivocation'; readonly first: Message; readonly second: Message }
  | { readonly type: 'halt'; readonly reason: string }
