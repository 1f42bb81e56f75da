import type { TokenModel, TokenText } from '../models/index.ts'
import type { LogitsLimits } from './limits.ts'
import { ServiceError } from './service-error.ts'

/** One client's text in a server. */
export interface Session {
  readonly id: string
  readonly client: string
  /** Ids that this client counts with. */
  readonly vocabularySize: number
  readonly text: TokenText
  /** The request for it that is under way. */
  work: Work | undefined
  usedAt: number
}

/** A request under way. */
interface Work {
  /** Ends it: what it computes is not wanted any more. */
  readonly superseded: AbortController
  readonly done: Promise<void>
  finish(): void
}

/** Texts of all clients, within bounds. */
export interface Sessions {
  readonly size: number
  readonly cachedTokens: number
  /** @throws {ServiceError} `full`, when there are too many */
  open(client: string, vocabularySize: number): Session
  /**
   * Marks a session as in use. A request for it that is under way is ended: its client has asked anew.
   *
   * @returns with the signal that says that a later request has taken its place
   * @throws {ServiceError} `unknown-session`, or `busy` where another request waits for it already
   */
  take(client: string, id: string): Promise<{ readonly session: Session; readonly superseded: AbortSignal }>
  release(session: Session): void
  close(client: string, id: string): void
  /** Forgets those that nobody has used for too long. */
  sweep(): void
}

/**
 * @param newId an unguessable name
 * @param now milliseconds
 */
export function createSessions(
  model: Pick<TokenModel, 'start'>,
  limits: LogitsLimits,
  newId: () => string,
  now: () => number
): Sessions {
  const sessions = new Map<string, Session>()
  const closing = new Set<string>()

  const sweep = (): void => {
    for (const [id, { work, usedAt }] of sessions)
      if (work === undefined && now() - usedAt >= limits.expiryMs) sessions.delete(id)
  }
  const cachedTokens = (): number => {
    let sum = 0
    for (const { text } of sessions.values()) sum += text.length
    return sum
  }
  const own = (client: string, id: string): Session => {
    sweep()
    const session = sessions.get(id)
    // Of others' sessions a client hears nothing, not even that they are.
    if (session !== undefined && session.client === client && !closing.has(id)) return session
    throw new ServiceError('unknown-session', 'there is no such session, or it has expired: open another')
  }

  return {
    get size() {
      return sessions.size
    },
    get cachedTokens() {
      return cachedTokens()
    },
    open(client, vocabularySize) {
      sweep()
      const ofClient = [...sessions.values()].filter((session) => session.client === client).length
      if (ofClient >= limits.sessionsPerClient)
        throw new ServiceError(
          'busy',
          `a client may have ${limits.sessionsPerClient} sessions: close one`,
          limits.expiryMs
        )
      if (sessions.size >= limits.sessions || cachedTokens() >= limits.cachedTokens)
        throw new ServiceError('full', 'the server has no room for another session', limits.expiryMs)
      const session: Session = {
        id: newId(),
        client,
        vocabularySize,
        text: model.start(),
        work: undefined,
        usedAt: now()
      }
      sessions.set(session.id, session)
      return session
    },
    async take(client, id) {
      const session = own(client, id)
      const before = session.work
      if (before !== undefined) {
        if (before.superseded.signal.aborted)
          throw new ServiceError('busy', 'another request waits for this session', 100)
        before.superseded.abort(new Error('a later request has taken its place'))
        await before.done
        own(client, id)
        if (session.work !== undefined)
          throw new ServiceError('busy', 'another request uses this session', 100)
      }
      let finish = (): void => undefined
      const done = new Promise<void>((resolve) => {
        finish = resolve
      })
      session.work = { superseded: new AbortController(), done, finish }
      return { session, superseded: session.work.superseded.signal }
    },
    release(session) {
      session.work?.finish()
      session.work = undefined
      session.usedAt = now()
      if (closing.delete(session.id)) sessions.delete(session.id)
    },
    close(client, id) {
      const session = own(client, id)
      if (session.work === undefined) sessions.delete(id)
      else {
        closing.add(id)
        session.work.superseded.abort(new Error('the session was closed'))
      }
    },
    sweep
  }
}
