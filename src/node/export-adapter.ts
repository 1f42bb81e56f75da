import { readFile } from 'node:fs/promises'
import {
  adapterFromTensors,
  concatenateAdapters,
  decodeSafetensors,
  type LoraAdapter,
  stackDigest
} from '../adapter/index.ts'
import { hex } from '../protocol/index.ts'
import { readCharter } from './charter-file.ts'
import { PeerError } from './errors.ts'
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
  for (const { context, sealedRound } of await readSealedRounds(home, await readCharter(home.charter))) {
    if (sealedRound.seal.stack === null) continue
    const path = roundFiles(home, context.round).stack
    const { tensors } = decodeSafetensors(await readFile(path))
    if (stackDigest(tensors) !== hex(sealedRound.seal.stack))
      throw new PeerError(
        `${path} is not the stack that was sealed: delete round ${context.round}'s folder and restart the peer`
      )
    rounds.push(context.round)
    stacks.push(adapterFromTensors(tensors, (_module, rank) => rank))
  }
  if (stacks.length === 0) throw new PeerError(`${home.folder} has no sealed round with a stack yet`)
  return { adapter: concatenateAdapters(stacks), rounds }
}

/** Exports the consortium's adapter as a PEFT folder. */
export async function exportPeft(home: Home, folder: string, baseModel: string): Promise<ExportedAdapter> {
  const { adapter, rounds } = await globalAdapter(home)
  await writePeftFolder(folder, adapter, baseModel)
  return { folder, rounds, rank: Math.max(...adapter.pairs.map(({ rank }) => rank)) }
}
