import { FormatError } from '../../formats/format-error.ts'

/** An adapter, or a shard of one, that cannot be what it claims to be. */
export class AdapterError extends FormatError {
  override readonly name: string = 'AdapterError'
}
