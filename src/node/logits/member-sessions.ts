import { TransportError } from '../../prada/remotes/index.ts'
import { createAllowance } from '../../prada/server/allowance.ts'
import { DEFAULT_LOGITS_LIMITS } from '../../prada/server/index.ts'

/** One member's text on the server behind. */
export interface MemberSession {
  readonly member: string
  readonly vocabularySize: number
}

/** Which member has opened which session, within bounds. */
export interface MemberSessions {
  /** @throws {TransportError} `busy`, when the member has too many */
  requireRoom(member: string): void
  add(member: string, session: Uint8Array, vocabularySize: number): void
  /** @throws {TransportError} `unknown-session`, for one that the member has not opened */
  take(member: string, session: Uint8Array): MemberSession
  remove(session: Uint8Array): void
  /** @throws {ServiceError} `busy`, when the member has been told of too many positions */
  count(member: string, positions: number): void
}

/** @param now milliseconds */
export function createMemberSessions(positionsPerMinute: number, now: () => number): MemberSessions {
  const { sessionsPerClient, expiryMs } = DEFAULT_LOGITS_LIMITS
  const sessions = new Map<string, MemberSession & { usedAt: number }>()
  const allowance = createAllowance(positionsPerMinute, now)
  const nameOf = (session: Uint8Array): string => Buffer.from(session).toString('hex')
  return {
    requireRoom(member) {
      for (const [name, { usedAt }] of sessions) if (now() - usedAt >= expiryMs) sessions.delete(name)
      const own = [...sessions.values()].filter((session) => session.member === member).length
      if (own >= sessionsPerClient)
        throw new TransportError(
          'busy',
          `a member may have at most ${sessionsPerClient} sessions: close one`,
          {
            retryAfterMs: expiryMs
          }
        )
    },
    add: (member, session, vocabularySize) =>
      void sessions.set(nameOf(session), { member, vocabularySize, usedAt: now() }),
    take(member, session) {
      const found = sessions.get(nameOf(session))
      if (found?.member !== member)
        throw new TransportError('unknown-session', 'the session does not exist or has expired: open another')
      found.usedAt = now()
      return found
    },
    remove: (session) => void sessions.delete(nameOf(session)),
    count: (member, positions) => allowance.take(member, positions)
  }
}
