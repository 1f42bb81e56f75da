import { hex } from '../encoding/bytes.ts'
import type { Signer, Verify } from '../encoding/signature.ts'
import type { Effect } from './effects.ts'
import type { Holding, PeerState } from './state.ts'

/** Longest delay of a JavaScript timer; a longer one would fire at once. */
const TIMER_MS_MAX = 2 ** 31 - 1

/** A step in progress: the rules change it, copying what they touch, so that the previous state stays intact. */
export type Draft = { -readonly [Key in keyof PeerState]: PeerState[Key] } & {
  readonly signer: Signer
  readonly verify: Verify
  /** This peer's clock, milliseconds, if there is one. */
  readonly now?: number | undefined
  effects: Effect[]
}

/** Starts a timer, once per round. */
export function startTimer(draft: Draft, timer: string, milliseconds: number): void {
  if (draft.timers.has(timer)) return
  draft.timers = new Set(draft.timers).add(timer)
  const { round } = draft.context
  draft.effects.push({ type: 'timer', round, timer, milliseconds: Math.min(milliseconds, TIMER_MS_MAX) })
}

/** Records the state of a manifest's blocks. */
export function hold(draft: Draft, manifest: Uint8Array, holding: Holding): void {
  draft.holdings = new Map(draft.holdings).set(hex(manifest), holding)
}

/** Halts until an operator intervenes. */
export function halt(draft: Draft, reason: string): void {
  if (draft.halted !== undefined) return
  draft.halted = reason
  draft.effects.push({ type: 'halt', reason })
}
