import { readFile } from 'node:fs/promises'
import {
  decodeSafetensors,
  FormatError,
  modelDigest,
  type Tensor,
  type TensorMap
} from '../../formats/index.ts'
import { hex } from '../../protocol/index.ts'
import { type Home, roundFiles } from '../home/home.ts'
import type { JudgedRound } from '../home/round-store.ts'
import { isMissing, PeerError } from '../storage/peer-error.ts'

/**
 * The target modules that a round sealed, with the bits that every member holds.
 *
 * @throws {PeerError} when the file is missing, or is not the model that was sealed
 */
export async function sealedModules(home: Home, { context, sealedRound }: JudgedRound): Promise<TensorMap> {
  const path = roundFiles(home, context.round).model
  try {
    const { tensors } = decodeSafetensors(await readFile(path))
    const modules = new Map([...tensors].map(([name, tensor]) => [name.replace(/\.weight$/, ''), tensor]))
    if (modelDigest(modules) === hex(sealedRound.seal.model)) return modules
  } catch (error) {
    if (!isMissing(error) && !(error instanceof FormatError)) throw error
  }
  throw new PeerError(`${path} is missing or differs from the sealed model: copy it from another member`)
}

/** A base model's weights with some modules in place of its own. */
export function withModules(weights: TensorMap, modules: TensorMap): Map<string, Tensor> {
  return new Map([
    ...weights,
    ...[...modules].map(([module, weight]) => [`${module}.weight`, weight] as const)
  ])
}
