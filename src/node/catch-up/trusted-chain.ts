import { mkdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import {
  contextAfter,
  decodeSealedRound,
  equalBytes,
  hex,
  type Invite,
  MalformedError,
  type RoundContext,
  type SealedRound,
  type Verify
} from '../../protocol/index.ts'
import type { Home } from '../home/home.ts'
import { inviterFault } from '../membership/invite-files.ts'
import { writeFileWhole } from '../storage/atomic-file.ts'

/**
 * Rule 16 *Catch-up*: a history received from one member, up to the seal that an invite names. Each of its rounds is
 * validated by that round's members, but members who have left could have signed a different one: none of it is trusted
 * before it contains that seal. Until then it is kept apart from the home's own rounds, and is dropped with the member
 * it came from.
 */
export class TrustedChain {
  readonly #folder: string
  readonly #invite: Invite
  readonly #verify: Verify
  readonly #first: number
  #context: RoundContext

  /** @param context of the first round missing in this home */
  constructor(home: Home, invite: Invite, context: RoundContext, verify: Verify) {
    this.#folder = join(home.folder, 'untrusted')
    this.#invite = invite
    this.#context = context
    this.#first = context.round
    this.#verify = verify
  }

  /** The round expected next, and its parent. */
  get wanted(): Pick<RoundContext, 'round' | 'parent'> {
    return this.#context
  }

  /** Whether it contains the invite's seal. */
  get isTrusted(): boolean {
    return this.#context.round > this.#invite.round
  }

  /** Drops what was received. */
  async clear(): Promise<void> {
    await rm(this.#folder, { recursive: true, force: true })
  }

  /**
   * Adds the next sealed round.
   *
   * @throws {MalformedError} when it is invalid, or not the one that the invite names
   */
  async take(bytes: Uint8Array): Promise<void> {
    const sealedRound = decodeSealedRound(this.#context, bytes, this.#verify)
    const next = contextAfter(this.#context, sealedRound)
    const { round } = this.#context
    if (round === this.#invite.round) {
      if (!equalBytes(next.parent, this.#invite.seal))
        throw new MalformedError(
          `its history has the seal ${hex(next.parent)} in round ${round}, the invite ${hex(this.#invite.seal)}`
        )
      const fault = inviterFault(this.#invite, next)
      if (fault !== undefined) throw new MalformedError(fault)
    }
    await mkdir(this.#folder, { recursive: true })
    await writeFileWhole(this.#path(round), bytes)
    this.#context = next
  }

  /** The rounds that are trusted now, in order, each validated in the context that the one before left. */
  async *rounds(contextNow: () => RoundContext): AsyncGenerator<SealedRound> {
    if (!this.isTrusted) throw new Error('the invite’s seal has not been reached')
    for (let round = this.#first; round <= this.#invite.round; round++)
      yield decodeSealedRound(contextNow(), await readFile(this.#path(round)), this.#verify)
  }

  #path(round: number): string {
    return join(this.#folder, `${round}.cbor`)
  }
}
