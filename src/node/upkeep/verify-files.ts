import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileDigest } from '../../formats/digest/file-digest.ts'
import { blockListDigest, readBlockList, sha256Hex } from '../../formats/index.ts'
import { decodeLogRecord, equalBytes, isRetained } from '../../protocol/index.ts'
import { readNorms } from '../driver/norm-bounds.ts'
import { wantedBlocks } from '../driver/shard-work.ts'
import { type Home, roundFiles } from '../home/home.ts'
import type { JudgedRound } from '../home/round-store.ts'
import { BlockStore } from '../storage/block-store.ts'
import { isMissing, messageOf } from '../storage/peer-error.ts'
import { readWriteAheadLog } from '../storage/write-ahead-log.ts'
import { roundNorms } from './round-norms.ts'

/** Number of files of each kind. */
export interface FileCounts {
  stacks: number
  models: number
  /** Tables of median norms. */
  norms: number
  /** Blocks that must be served to other members. */
  blocks: number
}

/** The result of checking a home's files. */
export interface FilesChecked {
  /** Valid files: their digests match the seals, and norms match those recomputed if the blocks are present. */
  readonly checked: FileCounts
  /** Files that may be absent: pruned, or of a round that was not built here. */
  readonly absent: FileCounts
  /** Paths of missing files. */
  readonly missing: readonly string[]
  /** Records of the write-ahead log; null if it does not exist. */
  readonly logRecords: number | null
}

/** Relative tolerance for norms recomputed from the blocks. */
const NORM_TOLERANCE = 1e-6
const SILENT = { debug() {}, info() {}, warn() {}, error() {} }

/** Checks the files of a home, round by round in order. Changes nothing: a damaged file stays where it is. */
export class FileChecks {
  readonly #home: Home
  /** The round after the last sealed one. */
  readonly #next: number
  readonly #checked: FileCounts = { stacks: 0, models: 0, norms: 0, blocks: 0 }
  readonly #absent: FileCounts = { stacks: 0, models: 0, norms: 0, blocks: 0 }
  readonly #missing = new Set<string>()
  readonly #seen = new Set<string>()
  #lastModel: string | undefined
  #isBuilder = false
  #logRecords: number | null = null
  #bothOfRound = 0

  constructor(home: Home, next: number) {
    this.#home = home
    this.#next = next
  }

  /** Rounds whose stack and model both exist. */
  get rounds(): number {
    return this.#bothOfRound
  }

  result(): FilesChecked {
    return {
      checked: { ...this.#checked },
      absent: { ...this.#absent },
      missing: [...this.#missing],
      logRecords: this.#logRecords
    }
  }

  /** @returns what is wrong with a file of the round, or undefined */
  async checkRound(judged: JudgedRound): Promise<string | undefined> {
    const { seal } = judged.sealedRound
    if (seal.stack === null) return undefined
    const { round, charter } = judged.context
    const files = roundFiles(this.#home, round)
    const [hasStack, hasModel, hasNorms] = [files.stack, files.model, files.norms].map((path) =>
      existsSync(path)
    )
    // A build writes both and pruning removes both: if only one exists, the other was lost.
    const isBuilt = hasStack === true || hasNorms === true
    const isOwed = isRetained(round, this.#next, charter.retain)
    this.#isBuilder ||= isBuilt
    this.#lastModel = files.model
    if (hasStack && hasModel) this.#bothOfRound++
    this.#count('stacks', files.stack, hasStack, isBuilt)
    this.#count('models', files.model, hasModel, isBuilt && isOwed)
    this.#count('norms', files.norms, hasNorms, isBuilt)
    if (hasStack && !equalBytes(await fileDigest(files.stack), seal.stack))
      return `${files.stack} differs from its seal`
    if (hasModel && !equalBytes(blockListDigest((await readBlockList(files.model)).list), seal.model))
      return `${files.model} differs from its seal`
    const blocks = isOwed ? await this.#checkBlocks(judged, isBuilt) : { whole: false, wrong: undefined }
    if (blocks.wrong !== undefined) return blocks.wrong
    return hasNorms ? await normsFault(this.#home, judged, blocks.whole) : undefined
  }

  /** Called after the last round. @returns what is wrong with the write-ahead log, or undefined */
  async checkRest(): Promise<string | undefined> {
    if (this.#lastModel !== undefined && !existsSync(this.#lastModel)) this.#missing.add(this.#lastModel)
    const path = this.#home.writeAheadLog
    if (!existsSync(path)) {
      if (this.#isBuilder) this.#missing.add(path)
      return undefined
    }
    try {
      let log = await readWriteAheadLog(path)
      // A daemon may have changed it meanwhile.
      if (log.tornBytes > 0) log = await readWriteAheadLog(path)
      for (const record of log.records) decodeLogRecord(record)
      this.#logRecords = log.records.length
      if (log.tornBytes > 0)
        return `${path} ends in ${log.tornBytes} bytes that are not a complete record: after a crash this is an append that was never sent, which the peer truncates at its start; otherwise the file was modified`
    } catch (error) {
      return `${path} is invalid: ${messageOf(error)}`
    }
    return undefined
  }

  #count(kind: keyof FileCounts, path: string, isThere: boolean | undefined, isNeeded: boolean): void {
    if (isThere) this.#checked[kind]++
    else if (isNeeded) this.#missing.add(path)
    else this.#absent[kind]++
  }

  /** The blocks of a round, each by its digest. */
  async #checkBlocks(
    { sealedRound, context }: JudgedRound,
    isBuilt: boolean
  ): Promise<{ whole: boolean; wrong: string | undefined }> {
    let whole = true
    for (const { digest, bytes } of sealedRound.manifests.flatMap(({ body }) => wantedBlocks(body))) {
      const path = join(this.#home.blocks, digest)
      if (this.#seen.has(digest)) {
        whole &&= existsSync(path)
        continue
      }
      this.#seen.add(digest)
      const block = await readFile(path).catch((error: unknown) => {
        if (isMissing(error)) return undefined
        throw error
      })
      this.#count('blocks', path, block !== undefined, isBuilt)
      whole &&= block !== undefined
      if (block !== undefined && (block.length !== bytes || sha256Hex(block) !== digest))
        return {
          whole: false,
          wrong: `${path}, a block of round ${context.round}, is damaged: the peer fetches it again when it starts`
        }
    }
    return { whole, wrong: undefined }
  }
}

/**
 * Checks a round's table of norms.
 *
 * @param isWhole whether all blocks of the round exist, so that the norms can be recomputed
 */
async function normsFault(home: Home, judged: JudgedRound, isWhole: boolean): Promise<string | undefined> {
  const { norms: path } = roundFiles(home, judged.context.round)
  const norms = await readNorms(path)
  if (norms === undefined) return `${path} holds no norms`
  if (!isWhole) return undefined
  const medianNorms = await roundNorms(BlockStore.shared(home.folder, SILENT), judged)
  for (const module of new Set([...Object.keys(medianNorms), ...Object.keys(norms)])) {
    const [kept, computed] = [norms[module], medianNorms[module]]
    if (kept === undefined || computed === undefined || !isNear(kept, computed))
      return `${path} has ${kept ?? 'no norm'} for ${module}, and the round's blocks come to ${computed ?? 'none'}`
  }
  return undefined
}

function isNear(left: number, right: number): boolean {
  return Math.abs(left - right) <= NORM_TOLERANCE * Math.max(Math.abs(left), Math.abs(right))
}
