import { existsSync } from 'node:fs'
import type { TensorMap } from '../../formats/index.ts'
import type { Charter } from '../../protocol/index.ts'
import { readCharter } from '../home/charter-file.ts'
import { readEvaluation } from '../home/evaluation-file.ts'
import type { Home } from '../home/home.ts'
import { type JudgedRound, readSealedRounds } from '../home/round-store.ts'
import { PeerError } from '../storage/peer-error.ts'
import { sealedModules } from './sealed-model.ts'

/** A sealed round by number, or the one whose model has the lowest loss on this peer's held-out text. */
export type RoundChoice = number | 'best'

/** The target modules after a round. */
export interface RoundModel {
  readonly round: number
  readonly modules: TensorMap
  readonly charter: Charter
}

/**
 * The sealed rounds of a home.
 *
 * @throws {PeerError} when the folder is not a peer's home, or a round is invalid
 */
export async function sealedRounds(home: Home): Promise<JudgedRound[]> {
  if (!existsSync(home.charter))
    throw new PeerError(`${home.folder} is not the home of a peer: it has no charter.cbor`)
  return readSealedRounds(home, await readCharter(home.charter))
}

/**
 * The model that a round sealed; a void round has that of the one before it.
 *
 * @param choice the last round if absent
 * @throws {PeerError} when there is no such round, or its model is not in the home any more
 */
export async function roundModel(home: Home, choice?: RoundChoice): Promise<RoundModel> {
  const sealed = await sealedRounds(home)
  const round = choice === 'best' ? await bestRound(home, sealed.length) : (choice ?? sealed.length)
  requireSealed(home, sealed.length, round)
  const stacked = sealed.slice(0, round).findLast(({ sealedRound }) => sealedRound.seal.stack !== null)
  if (stacked === undefined) throw new PeerError(`no round of ${home.folder} up to ${round} has a stack`)
  return {
    round: stacked.context.round,
    modules: await sealedModules(home, stacked),
    charter: stacked.context.charter
  }
}

/** @throws {PeerError} when a home has not sealed a round */
export function requireSealed(home: Home, sealed: number, round: number): void {
  if (round > sealed)
    throw new PeerError(`${home.folder} has ${sealed} sealed round(s), so round ${round} does not exist`)
}

/**
 * The sealed round whose model has the lowest loss on the held-out text that was measured last; the earliest of several.
 *
 * @throws {PeerError} when no sealed model was measured
 */
export async function bestRound(home: Home, sealed: number): Promise<number> {
  let best: { readonly round: number; readonly loss: number; readonly text: string } | undefined
  // What a round starts from is the model that the one before it sealed.
  for (let next = sealed + 1; next > 1; next--) {
    const measured = await readEvaluation(home, next)
    if (measured === undefined || measured.start === null) continue
    if (best !== undefined && measured.text !== best.text) continue
    if (best === undefined || measured.start <= best.loss)
      best = { round: next - 1, loss: measured.start, text: measured.text }
  }
  if (best === undefined)
    throw new PeerError(
      `no sealed model of ${home.folder} was measured on held-out text: name a round, or run the peer with held-out text`
    )
  return best.round
}
