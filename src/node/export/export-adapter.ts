import { existsSync } from 'node:fs'
import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import {
  adapterFromTensors,
  concatenateAdapters,
  ggufLora,
  type LimitedAdapter,
  type LoraAdapter,
  limitRank,
  nearestPair
} from '../../adapter/index.ts'
import {
  decodeSafetensors,
  type ElementFormat,
  FormatError,
  type GgufFile,
  ggufChunks,
  stackDigest,
  type TensorMap
} from '../../formats/index.ts'
import { applyAdapter, type BaseModel, loadBaseModel } from '../../model/index.ts'
import { hex } from '../../protocol/index.ts'
import { requireCharterBase } from '../consortium/charter-base.ts'
import { type Home, roundFiles } from '../home/home.ts'
import type { JudgedRound } from '../home/round-store.ts'
import { requireFreeFolder, requireOtherFolder, writeFileAtomic } from '../storage/index.ts'
import { isMissing, PeerError } from '../storage/peer-error.ts'
import { ggufArchitecture, ggufFormat, ggufModel } from './gguf-model.ts'
import { tokenizerNotes } from './gguf-tokenizer.ts'
import { writeModelFolder } from './model-folder.ts'
import { writePeftFolder } from './peft-files.ts'
import { requireRange } from './require-range.ts'
import { bestRound, type RoundChoice, requireSealed, sealedRounds } from './round-model.ts'
import { sealedModules, withModules } from './sealed-model.ts'

/** Export formats of the global adapter. */
export const EXPORT_FORMATS = ['peft', 'gguf', 'merged', 'merged-gguf'] as const
export type ExportFormat = (typeof EXPORT_FORMATS)[number]

/** Rank of an adapter that stands for the change of the weights, unless one is asked for. */
const CHANGE_RANK = 64

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
  /** In place of `rounds`: all up to this one. */
  readonly round?: RoundChoice | undefined
  /** Maximum rank of a module: the nearest adapter of that rank is written instead of the exact one. */
  readonly maxRank?: number | undefined
  /** F32 unless given. */
  readonly dtype?: ElementFormat | undefined
  /** Folder of the base model; `peft` needs it only where a stack is missing. */
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
  /** Largest rank of a module; null where the sealed model's own weights are written. */
  readonly rank: number | null
  /** Relative error ‖ΔW − ΔW'‖ / ‖ΔW‖ of a limited rank, or of a change of weights as an adapter; 0 if exact. */
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
 * Exports the consortium's adapter, or the model with it merged in. An adapter is the sum of the rounds' stacks, exactly;
 * where one of them is not in the home any more, the nearest adapter of a rank to what the models have changed.
 *
 * @throws {PeerError} when a round, the base model or the folder does not match
 */
export async function exportAdapter(home: Home, asked: ExportOptions): Promise<ExportedAdapter> {
  const options = { ...asked, rounds: await spanOf(home, asked) }
  const { format, folder, dtype = 'F32', overwrite } = options
  const stacked = await stackedRounds(home, options.rounds)
  await requireOtherFolder(folder, { 'the home': home.folder, 'the base model': options.baseFolder })
  await requireFreeFolder(folder, overwrite)
  const rounds = stacked.map(({ context }) => context.round)
  const isModel = format === 'merged' || format === 'merged-gguf'
  const isFromGenesis = (options.rounds?.first ?? 1) === 1
  // Of a span that begins with the first round these are the bits that every member holds, where base plus concatenated
  // stacks would round once instead of once a round.
  if (isModel && options.maxRank === undefined && isFromGenesis) {
    const base = await charterBase(options, stacked)
    const weights = withModules(base.weights, await sealedModules(home, stacked.at(-1)!))
    const notes = await writeModel(options, base, weights)
    return { folder, format, rounds, rank: null, error: 0, ...notes }
  }
  const found = await adapterOf(home, options, stacked)
  const { adapter, error } = found
  const rank = Math.max(...adapter.pairs.map((pair) => pair.rank))
  const exported = { folder, format, rounds, rank, error }
  const notes = found.notes.length > 0 ? { notes: found.notes } : {}
  if (format === 'peft') {
    await writePeftFolder(folder, adapter, options.baseName, dtype)
    return { ...exported, ...notes }
  }
  const base = await charterBase(options, stacked)
  if (format === 'gguf') {
    const file = ggufLora(adapter, ggufArchitecture(base), `${options.baseName}-lora`)
    await writeGguf(folder, GGUF_ADAPTER_FILE, file, dtype)
    return { ...exported, ...notes }
  }
  const more = await writeModel(options, base, applyAdapter(base.weights, adapter))
  return { ...exported, notes: [...found.notes, ...(more.notes ?? [])] }
}

/** The rounds to export: a span, or all up to one. */
async function spanOf(home: Home, { rounds, round }: ExportOptions): Promise<RoundSpan | undefined> {
  if (round === undefined) return rounds
  const last = round === 'best' ? await bestRound(home, (await sealedRounds(home)).length) : round
  return { first: 1, last }
}

/** The adapter of a span, of limited rank if asked for. */
async function adapterOf(
  home: Home,
  options: ExportOptions,
  stacked: readonly JudgedRound[]
): Promise<LimitedAdapter & { readonly notes: readonly string[] }> {
  const { maxRank } = options
  const gone = stacked.filter(({ context }) => !existsSync(roundFiles(home, context.round).stack))
  if (gone.length === 0)
    return { ...limitRank((await sumOfStacks(home, stacked)).adapter, maxRank), notes: [] }
  const first = options.rounds?.first ?? 1
  const before =
    first === 1
      ? baseModules(await charterBase(options, stacked))
      : await modulesBefore(home, first, options.rounds!)
  const after = await sealedModules(home, stacked.at(-1)!)
  const nearest = changeAsAdapter(before, after, maxRank ?? CHANGE_RANK)
  const which = gone.map(({ context }) => context.round).join(', ')
  const note = `the stacks of round(s) ${which} are not here: this is the nearest adapter of its rank to what the models have changed`
  return { ...nearest, notes: [note] }
}

/** The modules that a span of rounds starts from: those that the last stacked round before it sealed. */
async function modulesBefore(home: Home, first: number, span: RoundSpan): Promise<TensorMap> {
  const earlier = await stackedRounds(home, { first: 1, last: first - 1 }).catch(() => undefined)
  if (earlier === undefined)
    throw new PeerError(`no round before ${first} was stacked: export rounds 1..${span.last}`)
  return sealedModules(home, earlier.at(-1)!)
}

/** The nearest adapter of a rank to a change of modules' weights, and the error. */
function changeAsAdapter(before: TensorMap, after: TensorMap, rank: number): LimitedAdapter {
  let whole = 0
  let lost = 0
  const pairs = [...after].map(([module, weight]) => {
    const nearest = nearestPair(module, before.get(module)!, weight, rank)
    whole += nearest.whole
    lost += nearest.lost
    return nearest.pair
  })
  return { adapter: { pairs }, error: lost === 0 ? 0 : Math.sqrt(lost / whole) }
}

async function charterBase(
  { baseFolder }: ExportOptions,
  stacked: readonly JudgedRound[]
): Promise<BaseModel> {
  await requireCharterBase(baseFolder, stacked[0]!.context.charter)
  return loadBaseModel(baseFolder)
}

function baseModules({ weights }: BaseModel): TensorMap {
  return new Map([...weights].map(([name, tensor]) => [name.replace(/\.weight$/, ''), tensor]))
}

/** Writes a whole model. @returns notes on what other programs do with it */
async function writeModel(
  { format, folder, baseName, baseFolder, dtype = 'F32', overwrite }: ExportOptions,
  base: BaseModel,
  weights: TensorMap
): Promise<{ readonly notes?: readonly string[] }> {
  if (format === 'merged') {
    await writeModelFolder(folder, base, weights, { dtype, overwrite })
    return {}
  }
  await writeGguf(folder, GGUF_MODEL_FILE, await ggufModel(base, weights, `${baseName}-merged`, dtype), dtype)
  return { notes: tokenizerNotes(baseFolder) }
}

/** Exports the consortium's adapter of all rounds as a PEFT folder. */
export function exportPeft(home: Home, folder: string, baseModel: string): Promise<ExportedAdapter> {
  return exportAdapter(home, { format: 'peft', folder, baseFolder: baseModel, baseName: baseModel })
}

async function stackedRounds(home: Home, span: RoundSpan | undefined): Promise<JudgedRound[]> {
  const sealed = await sealedRounds(home)
  requireSealed(home, sealed.length, span?.last ?? 0)
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
