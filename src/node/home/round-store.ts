import { existsSync } from 'node:fs'
import { mkdir, readFile, rename } from 'node:fs/promises'
import { blockListDigest, type ListedFile, readBlockList } from '../../formats/index.ts'
import {
  contextAfter,
  decodeSealedRound,
  encodeSealedRound,
  equalBytes,
  genesisContext,
  hex,
  type RoundContext,
  type SealedRound,
  type SignedCharter,
  verifyEd25519
} from '../../protocol/index.ts'
import type { Log } from '../log/log.ts'
import { writeFileAtomic } from '../storage/atomic-file.ts'
import { isMissing, messageOf, PeerError } from '../storage/peer-error.ts'
import { type Home, roundFiles } from './home.ts'
import type { RoundSummary } from './peer-report.ts'
import { roundSummary } from './round-summary.ts'

/** The sealed rounds of a home, each validated again when it is read. */
export interface RoundStore {
  /** Context of the round after the last sealed one. */
  readonly head: RoundContext
  /** Stores a sealed round durably; an existing round stays as it is. */
  save(context: RoundContext, sealedRound: SealedRound): Promise<void>
  /** The bytes of a sealed round, to be sent to another peer; undefined if this home lacks it. */
  sealedBytes(round: number): Promise<Uint8Array | undefined>
  /**
   * The merged modules that the next round starts from: those of the last non-void sealed round; undefined for the base
   * itself.
   */
  readonly modelFile: string | undefined
  /** The last non-void sealed round; undefined if there is none. */
  readonly modelRound: number | undefined
  /** The sealed rounds whose blocks must still be served (the charter's `retain`), oldest first, read from disk. */
  owed(): AsyncGenerator<JudgedRound>
  /** Summaries of the last sealed rounds, oldest first. */
  readonly summaries: readonly RoundSummary[]
  /** The latest round that stacked a manifest of this author; undefined if none did. */
  lastStacked(author: Uint8Array): number | undefined
}

/** Number of summaries kept in memory. */
const SUMMARIES_MAX = 1_000

/**
 * Opens the rounds of a home and walks the chain of seals from the charter.
 *
 * @throws {PeerError} at the first invalid round
 */
export async function openRoundStore(home: Home, charter: SignedCharter): Promise<RoundStore> {
  const sealed = await readSealedRounds(home, charter)
  const last = sealed.at(-1)
  let head = last === undefined ? genesisContext(charter) : contextAfter(last.context, last.sealedRound)
  let modelRound: number | undefined
  const stacked = new Map<string, number>()
  /** Contexts of the retained rounds, so that the chain need not be walked again for them. */
  const contexts: RoundContext[] = []
  const note = ({ context, sealedRound }: JudgedRound) => {
    contexts.push(context)
    if (contexts.length > charter.charter.retain) contexts.shift()
    if (sealedRound.seal.stack === null) return
    modelRound = context.round
    for (const { author } of sealedRound.manifests)
      stacked.set(hex(context.members[author]!.peer), context.round)
  }
  const summaries: RoundSummary[] = []
  const summarise = ({ context, sealedRound }: JudgedRound) => {
    summaries.push(roundSummary(context, sealedRound))
    if (summaries.length > SUMMARIES_MAX) summaries.shift()
  }
  for (const judged of sealed) note(judged)
  for (const judged of sealed.slice(-SUMMARIES_MAX)) summarise(judged)
  return {
    summaries,
    get head() {
      return head
    },
    async save(context, sealedRound) {
      const files = roundFiles(home, context.round)
      if (!existsSync(files.sealed)) {
        await mkdir(files.folder, { recursive: true })
        await writeFileAtomic(files.sealed, encodeSealedRound(sealedRound))
      }
      // A write that failed halfway is retried, and still counts as one round.
      if (context.round >= head.round) {
        summarise({ context, sealedRound })
        note({ context, sealedRound })
      }
      head = contextAfter(context, sealedRound)
    },
    async sealedBytes(round) {
      try {
        return await readFile(roundFiles(home, round).sealed)
      } catch (error) {
        if (isMissing(error)) return undefined
        throw error
      }
    },
    get modelFile() {
      return modelRound === undefined ? undefined : roundFiles(home, modelRound).model
    },
    get modelRound() {
      return modelRound
    },
    async *owed() {
      for (const context of [...contexts]) yield { context, sealedRound: await readSealed(home, context) }
    },
    lastStacked: (author) => stacked.get(hex(author))
  }
}

/**
 * Checks that the model on disk is the sealed one: every later round builds on it. A missing model is fetched from
 * another member when needed; a damaged one is moved aside, and then counts as missing.
 *
 * @returns the file, ready to be served; undefined if it is missing
 */
export async function requireSealedModel(
  { head, modelFile }: RoundStore,
  log: Log
): Promise<ListedFile | undefined> {
  if (modelFile === undefined || !existsSync(modelFile)) return undefined
  const file = await readBlockList(modelFile)
  if (equalBytes(blockListDigest(file.list), head.modelDigest)) return file
  await rename(modelFile, `${modelFile}.wrong`)
  log.warn({ file: modelFile }, 'a model file differs from its seal: it is fetched from another member')
  return undefined
}

/**
 * The newest model file of the rounds before `round`, which that round's build started from; undefined for the base.
 */
export function modelFileBefore(home: Home, round: number): string | undefined {
  for (let sealed = round - 1; sealed > 0; sealed--) {
    const { model } = roundFiles(home, sealed)
    if (existsSync(model)) return model
  }
  return undefined
}

/** A sealed round and the context that validated it. */
export interface JudgedRound {
  readonly context: RoundContext
  readonly sealedRound: SealedRound
}

/**
 * Every sealed round of a home in order, each validated by its members, from the charter on.
 *
 * @throws {PeerError} at the first invalid round
 */
export async function readSealedRounds(home: Home, charter: SignedCharter): Promise<JudgedRound[]> {
  const judged: JudgedRound[] = []
  let context = genesisContext(charter)
  while (existsSync(roundFiles(home, context.round).sealed)) {
    const sealedRound = await readSealed(home, context)
    judged.push({ context, sealedRound })
    context = contextAfter(context, sealedRound)
  }
  return judged
}

/** @throws {PeerError} when the file is invalid in that context */
async function readSealed(home: Home, context: RoundContext): Promise<SealedRound> {
  const path = roundFiles(home, context.round).sealed
  try {
    return decodeSealedRound(context, await readFile(path), verifyEd25519)
  } catch (error) {
    throw new PeerError(
      `${path} is invalid (${messageOf(error)}): move it away, and the round is fetched again`
    )
  }
}
