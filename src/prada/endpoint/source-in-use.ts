import { EndpointError } from './endpoint-error.ts'
import type { TextSource } from './text-source.ts'

/** Retry delay while nothing is loaded, milliseconds. */
const LOADING_MS = 2_000

/** A reference to a source, which is not disposed of before the reference is released. */
export interface HeldSource {
  readonly source: TextSource
  release(): void
}

/** The source for new texts. Running texts keep their own. */
export interface SourceInUse {
  readonly current: TextSource | undefined
  /** @throws {EndpointError} 503 while nothing is loaded */
  hold(): HeldSource
  /** Replaces the source. The previous one is disposed of when its last text has ended. */
  replace(source: TextSource): void
  /** Disposes of all sources once no text is running. */
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
        throw new EndpointError(503, 'the model is still loading', {
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
