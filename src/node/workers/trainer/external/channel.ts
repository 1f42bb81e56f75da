import type { ContractRequest } from './contract.ts'

/** What a channel hears from its trainer. */
export interface ChannelListener {
  /** A message: parsed JSON, not checked yet. */
  message(json: unknown): void
  /** A line for people, at most {@link LINE_MAX} characters of it. */
  output(line: string): void
  /** The trainer is gone, and why; nothing follows. */
  ended(reason: string): void
}

/** A way to talk to an external trainer. */
export interface TrainerChannel {
  send(request: ContractRequest): void
  /** Ends the trainer, at once if `force`; resolves when it is gone, as far as that can be known. */
  close(force?: boolean): Promise<void>
}

/** Longest message, bytes. */
export const MESSAGE_BYTES_MAX = 1024 * 1024
/** Length at which lines for people are cut, characters. */
export const LINE_MAX = 2_000
