import { existsSync } from 'node:fs'
import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import {
  adapterFromTensors,
  concatenateAdapters,
  ggufLora,
  type LoraAdapter,
  limitRank
} from '../../adapter/index.ts'
import {
  decodeSafetensors,
  type ElementFormat,
  FormatError,
  type GgufFile,
  ggufChunks,
  stackDigest
} from '../../formats/index.ts'
import { applyAdapter, loadBaseModel } from '../../model/index.ts'
import { hex } from '../../protocol/index.ts'
import { requireCharterBase } from '../consortium/charter-base.ts'
import { readCharter } from '../home/charter-file.ts'
import { type Home, roundFiles } from '../home/home.ts'
import { type JudgedRound, readSealedRounds } from '../home/round-store.ts'
import { requireFreeFolder, writeFileAtomic } from '../storage/index.ts'
import { isMissing, PeerError } from '../storage/peer-error.ts'
import { ggufArchitecture, ggufFormat, ggufModel } from './gguf-model.ts'
import { tokenizerNotes } from './gguf-tokenizer.ts'
import { writeModelFolder } from './model-folder.ts'
import { writePeftFolder } from './peft-files.ts'
import { requireRange } from './require-range.ts'
import { sealedModules, withModules } from './sealed-model.ts'

/** Export formats of the global adapter. */
export const EXPORT_FORMATS = ['peft', 'gguf', 'merged', 'merged-gguf'] as const
export type ExportFormat = (typeof EXPORT_FORMATS)[number]

/** File names of GGUF exports inside the export's folder. */
export const GGUF_ADAPTER_FILE = 'adapter.gguf'
export const GGUF_MODEL_FILE = 'model.gguf'

/** An inclusive range of rounds. */
export interface RoundSpan {
  readonly first: number
  readonly last: number
}

/** What to export. */
export interface ExportOptions {
  readonly format: ExportFormat
  readonly folder: string
  /** All sealed rounds unless given. */
  readonly rounds?: RoundSpan | undefined
  /** Maximum rank of a module: the nearest adapter of that rank is written instead of the exact one. */
  readonly maxRank?: number | undefined
  /** F32 unless given. */
  readonly dtype?: ElementFormat | undefined
  /** Folder of the base model; not needed for `peft`. */
  readonly baseFolder: string
  /** Whether what the folder contains is replaced; refused if absent. */
  readonly overwrite?: boolean | undefined
  /** The base model's name in the files. */
  readonly baseName: string
}

/** What was exported. */
export interface ExportedAdapter {
  readonly folder: string
  readonly format: ExportFormat
  /** Rounds whose stacks it holds; void rounds have none. */
  readonly rounds: readonly number[]
  /** Largest rank of a module. */
  readonly rank: number
  /** Relative error ‖ΔW − ΔW'‖ / ‖ΔW‖ of a limited rank; 0 where the adapter is exact. */
  readonly error: number
  /** What a reader of the files does not do as Loam does, as lines for people. */
  readonly notes?: readonly string[]
}

/** A consortium's adapter and the rounds that it sums. */
export interface GlobalAdapter {
  readonly adapter: LoraAdapter
  readonly rounds: number[]
}

/**
 * The consortium's adapter over the sealed rounds of a home: their stacks one after the other, exactly.
 *
 * @throws {PeerError} when no such round was stacked, or a stack differs from its seal
 */
export async function globalAdapter(home: Home, span?: RoundSpan): Promise<GlobalAdapter> {
  return sumOfStacks(home, await stackedRounds(home, span))
}

async function sumOfStacks(home: Home, stacked: readonly JudgedRound[]): Promise<GlobalAdapter> {
  const stacks: LoraAdapter[] = []
  for (const { context, sealedRound } of stacked)
    stacks.push(await readStack(roundFiles(home, context.round).stack, hex(sealedRound.seal.stack!)))
  return { adapter: concatenateAdapters(stacks), rounds: stacked.map(({ context }) => context.round) }
}

/**
 * Exports the consortium's adapter, or the model with it merged in.
 *
 * @throws {PeerError} when a round, the base model or the folder does not match
 */
export async function exportAdapter(home: Home, options: ExportOptions): Promise<ExportedAdapter> {
  const { format, folder, baseName, maxRank, dtype = 'F32', overwrite } = options
  const stacked = await stackedRounds(home, options.rounds)
  await requireFreeFolder(folder, overwrite)
  const { adapter: exact, rounds } = await sumOfStacks(home, stacked)
  const { adapter, error } = maxRank === undefined ? { adapter: exact, error: 0 } : limitRank(exact, maxRank)
  const rank = Math.max(...adapter.pairs.map((pair) => pair.rank))
  const exported = { folder, format, rounds, rank, error }
  if (format === 'peft') {
    await writePeftFolder(folder, adapter, baseName, dtype)
    return exported
  }
  await requireCharterBase(options.baseFolder, stacked[0]!.context.charter)
  const base = loadBaseModel(options.baseFolder)
  if (format === 'gguf') {
    const file = ggufLora(adapter, ggufArchitecture(base), `${baseName}-lora`)
    await writeGguf(folder, GGUF_ADAPTER_FILE, file, dtype)
    return exported
  }
  const isFromGenesis = (options.rounds?.first ?? 1) === 1
  // Of a span that begins with the first round these are the bits that every member holds, where base plus concatenated
  // stacks would round once instead of once a round.
  const sealed =
    maxRank === undefined && isFromGenesis ? await sealedModules(home, stacked.at(-1)!) : undefined
  const weights =
    sealed === undefined ? applyAdapter(base.weights, adapter) : withModules(base.weights, sealed)
  if (format === 'merged') await writeModelFolder(folder, base, weights, { dtype, overwrite })
  else {
    const file = await ggufModel(base, weights, `${baseName}-merged`, dtype)
    await writeGguf(folder, GGUF_MODEL_FILE, file, dtype)
    return { ...exported, notes: tokenizerNotes(options.baseFolder) }
  }
  return exported
}

/** Exports the consortium's adapter of all rounds as a PEFT folder. */
export function exportPeft(home: Home, folder: string, baseModel: string): Promise<ExportedAdapter> {
  return exportAdapter(home, { format: 'peft', folder, baseFolder: baseModel, baseName: baseModel })
}

async function stackedRounds(home: Home, span: RoundSpan | undefined): Promise<JudgedRound[]> {
  if (!existsSync(home.charter))
    throw new PeerError(`${home.folder} is not the home of a peer: it has no charter.cbor`)
  const sealed = await readSealedRounds(home, await readCharter(home.charter))
  if (span !== undefined && span.last > sealed.length)
    throw new PeerError(
      `${home.folder} has ${sealed.length} sealed round(s), so round ${span.last} does not exist`
    )
  const { first, last } = span ?? { first: 1, last: sealed.length }
  const stacked = sealed.slice(first - 1, last).filter(({ sealedRound }) => sealedRound.seal.stack !== null)
  if (stacked.length > 0) return stacked
  const which = span === undefined ? '' : ` among rounds ${first} to ${last}`
  throw new PeerError(`${home.folder} has no sealed round with a stack yet${which}`)
}

async function readStack(path: string, digest: string): Promise<LoraAdapter> {
  try {
    const { tensors } = decodeSafetensors(await readFile(path))
    if (stackDigest(tensors) === digest) return adapterFromTensors(tensors, (_module, rank) => rank)
  } catch (error) {
    if (!isMissing(error) && !(error instanceof FormatError)) throw error
  }
  throw new PeerError(`${path} is missing or differs from the sealed stack: copy it from another member`)
}

async function writeGguf(folder: string, name: string, file: GgufFile, dtype: ElementFormat): Promise<void> {
  requireRange(file.tensors, dtype)
  await mkdir(folder, { recursive: true })
  await writeFileAtomic(join(folder, name), ggufChunks(file, { format: ggufFormat(dtype) }))
}
