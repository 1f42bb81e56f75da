import { InvalidArgumentError } from 'commander'

/** An invalid flag or argument: the command does not run and exits with 2. */
export class UsageError extends InvalidArgumentError {
  override name = 'UsageError'
}
