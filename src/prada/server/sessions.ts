import type { TokenModel, TokenText } from '../models/index.ts'
import type { LogitsLimits } from './limits.ts'
import { ServiceError } from './service-error.ts'

/** One client's text on the server. */
export interface Session {
  readonly id: string
  readonly client: string
  /** Number of ids in this client's vocabulary. */
  readonly vocabularySize: number
  readonly text: TokenText
  /** The current request for it. */
  work: Work | undefined
  usedAt: number
}

/** A request in progress. */
interface Work {
  /** Aborts it when its result is no longer needed. */
  readonly superseded: AbortController
  readonly done: Promise<void>
  finish(): void
}

/** Texts of all clients, within limits. */
export interface Sessions {
  readonly size: number
  readonly cachedTokens: number
  /** @throws {ServiceError} `full` if there are too many */
  open(client: string, vocabularySize: number): Session
  /**
   * Marks a session as in use. A request for it that is in progress is aborted, since its client has sent another.
   *
   * @returns the session, with the signal that aborts when a later request replaces this one
   * @throws {ServiceError} `unknown-session`, or `busy` if another request is already waiting for it
   */
  take(client: string, id: string): Promise<{ readonly session: Session; readonly superseded: AbortSignal }>
  release(session: Session): void
  close(client: string, id: string): void
  /** Drops sessions that have been idle for too long. */
  sweep(): void
}

/**
 * @param newId returns an unguessable id
 * @param now milliseconds
 */
export function createSessions(
  model: Pick<TokenModel, 'start'>,
  limits: LogitsLimits,
  newId: () => string,
  now: () => number
): Sessions {
  return new OpenSessions(model, limits, newId, now)
}

class OpenSessions implements Sessions {
  readonly #model: Pick<TokenModel, 'start'>
  readonly #limits: LogitsLimits
  readonly #newId: () => string
  readonly #now: () => number
  readonly #sessions = new Map<string, Session>()
  readonly #closing = new Set<string>()

  constructor(
    model: Pick<TokenModel, 'start'>,
    limits: LogitsLimits,
    newId: () => string,
    now: () => number
  ) {
    this.#model = model
    this.#limits = limits
    this.#newId = newId
    this.#now = now
  }

  get size(): number {
    return this.#sessions.size
  }

  get cachedTokens(): number {
    let sum = 0
    for (const { text } of this.#sessions.values()) sum += text.length
    return sum
  }

  open(client: string, vocabularySize: number): Session {
    this.sweep()
    const { sessions, sessionsPerClient, cachedTokens, expiryMs } = this.#limits
    const ofClient = [...this.#sessions.values()].filter((session) => session.client === client).length
    if (ofClient >= sessionsPerClient)
      throw new ServiceError(
        'busy',
        `a client may have at most ${sessionsPerClient} sessions: close one`,
        expiryMs
      )
    if (this.size >= sessions || this.cachedTokens >= cachedTokens)
      throw new ServiceError('full', 'the server has no room for another session', expiryMs)
    const session: Session = {
      id: this.#newId(),
      client,
      vocabularySize,
      text: this.#model.start(),
      work: undefined,
      usedAt: this.#now()
    }
    this.#sessions.set(session.id, session)
    return session
  }

  async take(
    client: string,
    id: string
  ): Promise<{ readonly session: Session; readonly superseded: AbortSignal }> {
    const session = this.#own(client, id)
    const before = session.work
    if (before !== undefined) {
      if (before.superseded.signal.aborted)
        throw new ServiceError('busy', 'another request is already waiting for this session', 100)
      before.superseded.abort(new Error('superseded by a later request'))
      await before.done
      this.#own(client, id)
      if (session.work !== undefined)
        throw new ServiceError('busy', 'another request is using this session', 100)
    }
    let finish = (): void => undefined
    const done = new Promise<void>((resolve) => {
      finish = resolve
    })
    session.work = { superseded: new AbortController(), done, finish }
    return { session, superseded: session.work.superseded.signal }
  }

  release(session: Session): void {
    session.work?.finish()
    session.work = undefined
    session.usedAt = this.#now()
    if (this.#closing.delete(session.id)) this.#sessions.delete(session.id)
  }

  close(client: string, id: string): void {
    const session = this.#own(client, id)
    if (session.work === undefined) this.#sessions.delete(id)
    else {
      this.#closing.add(id)
      session.work.superseded.abort(new Error('the session was closed'))
    }
  }

  sweep(): void {
    for (const [id, { work, usedAt }] of this.#sessions)
      if (work === undefined && this.#now() - usedAt >= this.#limits.expiryMs) this.#sessions.delete(id)
  }

  #own(client: string, id: string): Session {
    this.sweep()
    const session = this.#sessions.get(id)
    // A client must not learn whether sessions of other clients exist.
    if (session !== undefined && session.client === client && !this.#closing.has(id)) return session
    throw new ServiceError('unknown-session', 'the session does not exist or has expired: open another')
  }
}
