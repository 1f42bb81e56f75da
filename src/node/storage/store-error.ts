/** A failed or refused access to a peer's home folder; `cause` holds the file system's own error. */
export class StoreError extends Error {
  override readonly name: string = 'StoreError'
}

/** The code of a file system error (`ENOSPC`, `ENOENT`), where there is one. */
export function errorCode(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined
}

/** Wraps a file system error in a message that says what was being done and, where it is known, what to do. */
export function storeError(doing: string, error: unknown): StoreError {
  if (error instanceof StoreError) return error
  const advice: Record<string, string> = {
    ENOSPC: 'the disk is full: free some space',
    EDQUOT: 'the disk quota is used up',
    EACCES: 'permission denied: check who owns the folder',
    EROFS: 'the disk is read-only',
    EMFILE: 'too many open files: raise the limit (ulimit -n)'
  }
  const reason = advice[errorCode(error) ?? ''] ?? (error instanceof Error ? error.message : String(error))
  return new StoreError(`${doing}: ${reason}`, { cause: error })
}
