/** The error for a value of the forward pass that is not finite. */
export function overflow(what: string): Error {
  return new Error(
    `${what}: the model's values overflow float32 there: its weights or the adapter's are damaged or do not belong together`
  )
}
