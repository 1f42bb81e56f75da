import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import {
  AdapterError,
  adapterFromTensors,
  concatenateAdapters,
  decodeSafetensors,
  type LoraAdapter,
  stackDigest
} from '../adapter/index.ts'
import { hex } from '../protocol/index.ts'
import { readCharter } from './charter-file.ts'
import { isMissing, PeerError } from './errors.ts'
import { type Home, roundFiles } from './home.ts'
import { writePeftFolder } from './peft-files.ts'
import { readSealedRounds } from './round-store.ts'

/** What was exported. */
export interface ExportedAdapter {
  readonly folder: string
  /** Rounds whose stacks it holds; void rounds have none. */
  readonly rounds: readonly number[]
  /** Largest rank of a module. */
  readonly rank: number
}

/**
 * The consortium's adapter over all sealed rounds of a home: their stacks one after the other, exactly.
 *
 * @throws {PeerError} when no round was stacked, or a stack is not the one that was sealed
 */
export async function globalAdapter(home: Home): Promise<{ adapter: LoraAdapter; rounds: number[] }> {
  const rounds: number[] = []
  const stacks: LoraAdapter[] = []
  if (!existsSync(home.charter))
    throw new PeerError(`${home.folder} is no home of a peer: it holds no charter.cbor`)
  for (const { context, sealedRound } of await readSealedRounds(home, await readCharter(home.charter))) {
    if (sealedRound.seal.stack === null) continue
    const path = roundFiles(home, context.round).stack
    stacks.push(await readStack(path, hex(sealedRound.seal.stack)))
    rounds.push(context.round)
  }
  if (stacks.length === 0) throw new PeerError(`${home.folder} has no sealed round with a stack yet`)
  return { adapter: concatenateAdapters(stacks), rounds }
}

async function readStack(path: string, digest: string): Promise<LoraAdapter> {
  try {
    const { tensors } = decodeSafetensors(await readFile(path))
    if (stackDigest(tensors) === digest) return adapterFromTensors(tensors, (_module, rank) => rank)
  } catch (error) {
    if (!isMissing(error) && !(error instanceof AdapterError)) throw error
  }
  throw new PeerError(`${path} is missing or not the stack that was sealed: copy it from another member`)
}

/** Exports the consortium's adapter as a PEFT folder. */
export async function exportPeft(home: Home, folder: string, baseModel: string): Promise<ExportedAdapter> {
  const { adapter, rounds } = await globalAdapter(home)
  await writePeftFolder(folder, adapter, baseModel)
  return { folder, rounds, rank: Math.max(...adapter.pairs.map(({ rank }) => rank)) }
}
