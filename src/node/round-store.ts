import { existsSync } from 'node:fs'
import { mkdir, readFile } from 'node:fs/promises'
import {
  contextAfter,
  decodeSealedRound,
  encodeSealedRound,
  genesisContext,
  type RoundContext,
  type SealedRound,
  type SignedCharter,
  verifyEd25519
} from '../protocol/index.ts'
import { isMissing, messageOf, PeerError } from './errors.ts'
import { type Home, roundFiles } from './home.ts'
import { writeFileAtomic } from './store/atomic-file.ts'

/** The sealed rounds of a home, each judged by its members again when it is read. */
export interface RoundStore {
  /** Context of the round after the last sealed one. */
  readonly head: RoundContext
  /** Makes a sealed round durable; a round that is there already stays as it is. */
  save(context: RoundContext, sealedRound: SealedRound): Promise<void>
  /** The bytes of a sealed round, as another peer takes them; undefined where this home has none. */
  sealedBytes(round: number): Promise<Uint8Array | undefined>
  /** The merged modules of the last round up to `round` that changed the model; undefined for the base itself. */
  modelFile(round: number): string | undefined
}

/**
 * Opens the rounds of a home and walks the chain of seals from the charter.
 *
 * @throws {PeerError} at the first round that does not hold
 */
export async function openRoundStore(home: Home, charter: SignedCharter): Promise<RoundStore> {
  const sealed = await readSealedRounds(home, charter)
  const last = sealed.at(-1)
  let head = last === undefined ? genesisContext(charter) : contextAfter(last.context, last.sealedRound)
  return {
    get head() {
      return head
    },
    async save(context, sealedRound) {
      const files = roundFiles(home, context.round)
      if (!existsSync(files.sealed)) {
        await mkdir(files.folder, { recursive: true })
        await writeFileAtomic(files.sealed, encodeSealedRound(sealedRound))
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
    modelFile(round) {
      for (let candidate = round; candidate > 0; candidate--) {
        const { model } = roundFiles(home, candidate)
        if (existsSync(model)) return model
      }
      return undefined
    }
  }
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
  for (;;) {
    const path = roundFiles(home, context.round).sealed
    if (!existsSync(path)) return judged
    try {
      const sealedRound = decodeSealedRound(context, await readFile(path), verifyEd25519)
      judged.push({ context, sealedRound })
      context = contextAfter(context, sealedRound)
    } catch (error) {
      throw new PeerError(
        `${path} does not hold (${messageOf(error)}): move it away, and the round is fetched again`
      )
    }
  }
}
