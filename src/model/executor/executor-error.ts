import type { ExecutorDevice } from './choice.ts'
import { type InstallOptions, installCommand } from './install-command.ts'
import { packageVersion } from './package-version.ts'

/** Why an executor cannot be used, and the remedy. */
export interface Unavailability {
  /** What is missing. */
  readonly reason: string
  /** What to do about it: a sentence, which the command completes if there is one. */
  readonly remedy: string
  /** The command that installs what is missing, if there is one. */
  readonly install?: string
}

/** Thrown for an executor that cannot be used on this machine; the message says what to do. */
export class ExecutorUnavailableError extends Error implements Unavailability {
  override name = 'ExecutorUnavailableError'
  readonly reason: string
  readonly remedy: string
  readonly install?: string

  constructor(
    { executor, device }: ExecutorDevice,
    { reason, remedy, install }: Unavailability,
    options?: ErrorOptions
  ) {
    const command = install === undefined ? '' : `: ${install}`
    super(`${executor} on ${device} cannot be used: ${reason}. ${remedy}${command}`, options)
    this.reason = reason
    this.remedy = remedy
    if (install !== undefined) this.install = install
  }
}

/** Why an executor's npm package could not be loaded, and how to install it. */
export function unavailablePackage(
  name: string,
  cause: unknown,
  { needs, ...install }: InstallOptions & { readonly needs?: string } = {}
): Unavailability {
  const missing = packageVersion(name) === undefined
  return {
    reason: missing ? `${name} is not installed` : `${name} cannot be loaded (${firstLineOf(cause)})`,
    remedy: `${needs === undefined ? '' : `${needs}. `}${missing ? 'Install it' : 'Install it again'}`,
    install: installCommand(name, install)
  }
}

/** The first line of an error's message. */
export function firstLineOf(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error)
  return message.trim().split('\n')[0]!
}
