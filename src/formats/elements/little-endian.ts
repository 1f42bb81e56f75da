/** Whether this machine is little-endian, as the files are. */
export const HOST_IS_LITTLE_ENDIAN = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1

/** Little-endian bytes of `values`: a view of their memory on a little-endian machine, so do not write to it. */
export function float32Bytes(values: Float32Array): Uint8Array {
  if (HOST_IS_LITTLE_ENDIAN) return new Uint8Array(values.buffer, values.byteOffset, values.byteLength)
  const view = new DataView(new ArrayBuffer(values.byteLength))
  for (let i = 0; i < values.length; i++) view.setFloat32(4 * i, values[i]!, true)
  return new Uint8Array(view.buffer)
}

/** A copy of little-endian float32 `bytes`, which need not be aligned; their length must be a multiple of four. */
export function float32FromBytes(bytes: Uint8Array): Float32Array {
  const values = new Float32Array(bytes.length / 4)
  if (HOST_IS_LITTLE_ENDIAN) {
    new Uint8Array(values.buffer).set(bytes)
    return values
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  for (let i = 0; i < values.length; i++) values[i] = view.getFloat32(4 * i, true)
  return values
}

/**
 * Little-endian float32 `bytes` as numbers: a view of their memory if the machine can read it directly, otherwise a
 * copy.
 */
export function float32View(bytes: Uint8Array): Float32Array {
  if (HOST_IS_LITTLE_ENDIAN && bytes.byteOffset % 4 === 0)
    return new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4)
  return float32FromBytes(bytes)
}
