/**
 * A problem in the peer's environment (a file, a setting, a second daemon) that its user can fix; the message says how.
 */
export class PeerError extends Error {
  override name = 'PeerError'
}

/** The message of whatever was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

/** Whether a file system call failed because the file does not exist. */
export function isMissing(error: unknown): boolean {
  return (error as NodeJS.ErrnoException | undefined)?.code === 'ENOENT'
}
