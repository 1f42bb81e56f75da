/** A failed or refused access to a peer's home folder; `cause` holds the file system's own error. */
export class StoreError extends Error {
  override readonly name: string = 'StoreError'
}

/** The code of a file system error (`ENOSPC`, `ENOENT`), where there is one. */
export function errorCode(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined
}

const ADVICE: Readonly<Record<string, string>> = {
  ENOSPC: 'the disk is full: free some space',
  EDQUOT: 'the disk quota is exhausted: free some space, or have it raised',
  EACCES: 'permission denied: check who owns the folder',
  EROFS: 'the disk is read-only: choose another folder, or mount it for writing',
  EMFILE: 'too many open files: raise the limit (ulimit -n)',
  ENFILE: 'too many open files on this machine: close other programs'
}

/**
 * The message of an unwrapped file system error for people: the path and what to do; undefined for other errors, and
 * for those without better advice than their own message.
 */
export function systemErrorText(error: unknown): string | undefined {
  const advice = ADVICE[errorCode(error) ?? '']
  if (advice === undefined || !(error instanceof Error) || !('syscall' in error)) return undefined
  const { path, dest } = error as NodeJS.ErrnoException & { dest?: string }
  return `cannot use ${dest ?? path ?? 'a file'}: ${advice}`
}

/** Wraps a file system error in a message with the failed operation and, if known, what to do. */
export function storeError(doing: string, error: unknown): StoreError {
  if (error instanceof StoreError) return error
  const reason = ADVICE[errorCode(error) ?? ''] ?? (error instanceof Error ? error.message : String(error))
  return new StoreError(`${doing}: ${reason}`, { cause: error })
}
