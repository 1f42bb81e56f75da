/** An adapter, or a file or shard of one, that cannot be what it claims to be. */
export class AdapterError extends Error {
  override readonly name: string = 'AdapterError'
}
