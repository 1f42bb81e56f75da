import { hashCanonical } from '../encoding/canonical-cbor.ts'
import type { RoundContext } from './context.ts'

/** A 32-bit seed for a member's fresh LoRA in this round. Every member can compute it, so that training can be repeated. */
export function trainingSeed(context: RoundContext, peer: Uint8Array): number {
  return seedNumber(hashCanonical('training-seed', { seed: context.seed, peer }))
}

/** A 32-bit seed for the order of a member's documents, the same in all rounds. */
export function documentSeed(context: RoundContext, peer: Uint8Array): number {
  return seedNumber(hashCanonical('document-seed', { charter: context.charterId, peer }))
}

function seedNumber(hash: Uint8Array): number {
  return new DataView(hash.buffer, hash.byteOffset).getUint32(0)
}
