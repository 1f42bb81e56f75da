import { existsSync } from 'node:fs'
import type { Charter } from '../../protocol/index.ts'
import { NO_HELD_OUT, type PeerConfig } from '../config/index.ts'
import type { Home } from '../home/home.ts'
import type { HeldOutText } from '../workers/trainer/training-job.ts'

/** Whose updates are measured, and on what. */
type Validating = Pick<PeerConfig, 'validation' | 'documents' | 'data'>

/**
 * The text on which a peer measures others' updates: the file that its settings name, or else HOME/heldout.txt, or else,
 * where the charter makes the check a veto, what it keeps back of its own documents.
 *
 * @returns undefined where nothing is measured
 */
export function heldOutText(
  { validation, documents, data }: Validating,
  home: Home,
  { heldOutVeto }: Pick<Charter, 'heldOutVeto'>
): HeldOutText | undefined {
  const { heldOut } = validation
  if (heldOut === NO_HELD_OUT) return undefined
  const file = heldOut ?? home.heldOut
  if (existsSync(file)) return { file }
  const isKeptBack = heldOut === undefined && heldOutVeto !== false && documents !== undefined
  return isKeptBack ? { documents, data, keptBack: validation.heldOutTokens } : undefined
}

/** How many tokens of its own documents a peer keeps from training; undefined for none. */
export function keptBackTokens(
  config: Validating,
  home: Home,
  charter: Pick<Charter, 'heldOutVeto'>
): number | undefined {
  const text = heldOutText(config, home, charter)
  return text !== undefined && 'documents' in text ? text.keptBack : undefined
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
