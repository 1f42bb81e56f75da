import { FormatError } from '../../formats/format-error.ts'

/** An adapter or shard that is malformed or inconsistent. */
export class AdapterError extends FormatError {
  override readonly name: string = 'AdapterError'
}
