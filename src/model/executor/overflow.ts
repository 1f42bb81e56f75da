/** The error for a number of the forward pass that is not finite. */
export function overflow(what: string): Error {
  return new Error(
    `${what}: the model's numbers leave the range of float32 there, since its weights or the adapter's are damaged or do not belong together`
  )
}
