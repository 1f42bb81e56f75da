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

/** The sealed rounds of a home, each judged by its members again when it is read. */
export interface RoundStore {
  /** Context of the round after the last sealed one. */
  readonly head: RoundContext
  /** Makes a sealed round durable; a round that is there already stays as it is. */
  save(context: RoundContext, sealedRound: SealedRound): Promise<void>
  /** The bytes of a sealed round, as another peer takes them; undefined where this home has none. */
  sealedBytes(round: number): Promise<Uint8Array | undefined>
  /**
   * The merged modules that the round at the head starts from: those of the last sealed round that was not void;
   * undefined for the base itself.
   */
  readonly modelFile: string | undefined
  /** The last of them that was not void; undefined where all were. */
  readonly modelRound: number | undefined
  /** The sealed rounds whose blocks are owed to others (the charter's `retain`), oldest first, read from disk. */
  owed(): AsyncGenerator<JudgedRound>
  /** The last sealed rounds, oldest first, as people are told of them. */
  readonly summaries: readonly RoundSummary[]
  /** The latest round that stacked a manifest of this author; undefined where none did. */
  lastStacked(author: Uint8Array): number | undefined
}

/** Summaries that are kept in memory. */
const SUMMARIES_MAX = 1_000

/**
 * Opens the rounds of a home and walks the chain of seals from the charter.
 *
 * @throws {PeerError} at the first round that does not hold
 */
export async function openRoundStore(home: Home, charter: SignedCharter): Promise<RoundStore> {
  const sealed = await readSealedRounds(home, charter)
  const last = sealed.at(-1)
  let head = last === undefined ? genesisContext(charter) : contextAfter(last.context, last.sealedRound)
  let modelRound: number | undefined
  const stacked = new Map<string, number>()
  /** Of the rounds that are owed: the chain need not be walked again for them. */
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
      // A write that failed halfway is tried again, and is one round all the same.
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
 * Checks that the model on the disk is the one that was sealed: everything after would be built on it in vain. One that
 * is missing is fetched from another member when it is needed; one that is damaged is put aside, and is missing.
 *
 * @returns the file, as it is served; undefined where it is not there
 */
export async function requireSealedModel(
  { head, modelFile }: RoundStore,
  log: Log
): Promise<ListedFile | undefined> {
  if (modelFile === undefined || !existsSync(modelFile)) return undefined
  const file = await readBlockList(modelFile)
  if (equalBytes(blockListDigest(file.list), head.modelDigest)) return file
  await rename(modelFile, `${modelFile}.wrong`)
  log.warn({ file: modelFile }, 'is not the model that was sealed: it is fetched from another member')
  return undefined
}

/** The newest model file of the rounds before `round`: what that round's build began from; undefined for the base. */
export function modelFileBefore(home: Home, round: number): string | undefined {
  for (let sealed = round - 1; sealed > 0; sealed--) {
    const { model } = roundFiles(home, sealed)
    if (existsSync(model)) return model
  }
  return undefined
}

/** A sealed round and the context that judged it. */
export interface JudgedRound {
  readonly context: RoundContext
  readonly sealedRound: SealedRound
}

/**
 * Every sealed round of a home in order, each judged by its members, from the charter on.
 *
 * @throws {PeerError} at the first round that does not hold
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

/** @throws {PeerError} when the file does not hold under that context */
async function readSealed(home: Home, context: RoundContext): Promise<SealedRound> {
  const path = roundFiles(home, context.round).sealed
  try {
    return decodeSealedRound(context, await readFile(path), verifyEd25519)
  } catch (error) {
    throw new PeerError(
      `${path} does not hold (${messageOf(error)}): move it away, and the round is fetched again`
    )
  }
}
