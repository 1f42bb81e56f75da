import { InvalidArgumentError } from 'commander'

/** A flag or argument that does not fit: the command is not run and exits with 2. */
export class UsageError extends InvalidArgumentError {
  override name = 'UsageError'
}
