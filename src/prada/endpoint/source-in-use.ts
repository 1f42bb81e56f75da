import { EndpointError } from './endpoint-error.ts'
import type { TextSource } from './text-source.ts'

/** Pause before another attempt while nothing is loaded, milliseconds. */
const LOADING_MS = 2_000

/** A source that is held: it is not disposed of before it is let go. */
export interface HeldSource {
  readonly source: TextSource
  release(): void
}

/** The source that new texts come from; texts under way keep theirs. */
export interface SourceInUse {
  readonly current: TextSource | undefined
  /** @throws {EndpointError} 503, while nothing is loaded */
  hold(): HeldSource
  /** Puts another in its place; the one before is disposed of when its last text has ended. */
  replace(source: TextSource): void
  /** Disposes of all, once nothing is under way. */
  dispose(): Promise<void>
}

export function createSourceInUse(onError: (error: unknown) => void): SourceInUse {
  let current: { readonly source: TextSource; holders: number; isLeft: boolean } | undefined
  const disposals = new Set<Promise<void>>()

  const dispose = (source: TextSource): void => {
    const disposal = source
      .dispose()
      .catch(onError)
      .finally(() => disposals.delete(disposal))
    disposals.add(disposal)
  }
  const leave = (): void => {
    if (current === undefined) return
    current.isLeft = true
    if (current.holders === 0) dispose(current.source)
    current = undefined
  }

  return {
    get current() {
      return current?.source
    },
    hold() {
      if (current === undefined)
        throw new EndpointError(503, 'the model is still being loaded', {
          code: 'model_loading',
          retryAfterMs: LOADING_MS
        })
      const held = current
      held.holders++
      let isReleased = false
      return {
        source: held.source,
        release() {
          if (isReleased) return
          isReleased = true
          held.holders--
          if (held.isLeft && held.holders === 0) dispose(held.source)
        }
      }
    },
    replace(source) {
      leave()
      current = { source, holders: 0, isLeft: false }
    },
    async dispose() {
      leave()
      await Promise.all(disposals)
    }
  }
}
