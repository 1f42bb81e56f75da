import { createHash } from 'node:crypto'
import { safetensorsChunks } from '../safetensors/safetensors.ts'
import type { TensorMap } from '../tensor.ts'
import { BlockListHash, blockListDigest } from './block-list.ts'

/** SHA-256 of `bytes` as 64 lowercase hex digits. */
export function sha256Hex(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}

/** Digest of a round's stack: SHA-256 of its canonical safetensors file. Keys are PEFT keys. */
export function stackDigest(tensors: TensorMap): string {
  const hash = createHash('sha256')
  for (const chunk of safetensorsChunks(tensors)) hash.update(chunk)
  return hash.digest('hex')
}

/**
 * Digest of a merged model: SHA-256 of the block list of the canonical safetensors file of its target modules in float32,
 * so that a peer fetching the file can check it block by block.
 *
 * @param modules weights by module name, as in `LoraPair.module`; the file's keys are `<module>.weight`
 */
export function modelDigest(modules: TensorMap): string {
  const hash = new BlockListHash()
  const tensors = new Map([...modules].map(([module, weight]) => [`${module}.weight`, weight]))
  for (const chunk of safetensorsChunks(tensors)) hash.update(chunk)
  return Buffer.from(blockListDigest(hash.list())).toString('hex')
}
