import { createHash } from 'node:crypto'

const MIB = 1024 * 1024

/** The digest of a file's block list, by the definition: SHA-256 over the SHA-256 of each mebibyte. */
export function listedDigest(bytes: Uint8Array): Buffer {
  const list = createHash('sha256')
  for (let begin = 0; begin < bytes.length; begin += MIB)
    list.update(
      createHash('sha256')
        .update(bytes.subarray(begin, begin + MIB))
        .digest()
    )
  return list.digest()
}
