import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { dataFiles, fileStamp } from '../../data/index.ts'
import { NO_HELD_OUT, type PeerConfig } from '../config/index.ts'
import type { Home } from '../home/home.ts'
import type { HeldOutText } from '../workers/trainer/training-job.ts'

/** What decides on the held-out text of a peer. */
type Validating = Pick<PeerConfig, 'validation' | 'documents' | 'data'>

/**
 * The text on which a peer measures the model and others' updates: the file that its settings name, else
 * HOME/heldout.txt, else what it keeps back of its own documents.
 *
 * @returns undefined where nothing is measured
 */
export function heldOutText(
  { validation, documents, data }: Validating,
  home: Home
): HeldOutText | undefined {
  const { heldOut } = validation
  if (heldOut === NO_HELD_OUT) return undefined
  const file = heldOut ?? home.heldOut
  if (existsSync(file)) return { file }
  if (heldOut !== undefined || documents === undefined) return undefined
  return { documents, data, keptBack: validation.heldOutTokens }
}

/** How many tokens of its own documents a peer keeps from training; undefined for none. */
export function keptBackTokens(config: Validating, home: Home): number | undefined {
  const text = heldOutText(config, home)
  return text !== undefined && 'documents' in text ? text.keptBack : undefined
}

/**
 * Identifies a held-out text by its files and settings: losses with different keys do not compare.
 *
 * @throws {Error} when a file is missing
 */
export async function heldOutKey(text: HeldOutText, tokens: number): Promise<string> {
  const files = 'documents' in text ? await dataFiles(text.documents) : [text.file]
  const key = JSON.stringify([text, tokens, await fileStamp(files)])
  return createHash('sha256').update(key).digest('hex').slice(0, 16)
}

/** Trainers up to which every update is measured on as many tokens as the settings say. */
const MEASURED_WHOLE = 4
/** Fewer tokens than this say little about an update. */
const TOKENS_MIN = 128

/**
 * Tokens on which one update is measured. Where more train, each is measured on less: what a round's measurements take does
 * not grow with its trainers.
 */
export function tokensAnUpdate(heldOutTokens: number, trainers: number): number {
  const share = Math.floor((MEASURED_WHOLE * heldOutTokens) / trainers)
  return Math.min(heldOutTokens, Math.max(TOKENS_MIN, share))
}
