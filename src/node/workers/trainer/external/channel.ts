import type { ContractRequest } from './contract.ts'

/** Callbacks for what a channel receives from its trainer. */
export interface ChannelListener {
  /** A message: parsed JSON, not checked yet. */
  message(json: unknown): void
  /** A line of human-readable output, truncated to {@link LINE_MAX} characters. */
  output(line: string): void
  /** The trainer has ended for the given reason. No further callbacks follow. */
  ended(reason: string): void
}

/** A connection for messages to and from an external trainer. */
export interface TrainerChannel {
  send(request: ContractRequest): void
  /** Ends the trainer, immediately if `force`. Resolves once it has ended, as far as that can be determined. */
  close(force?: boolean): Promise<void>
}

/** Maximum message size, bytes. */
export const MESSAGE_BYTES_MAX = 1024 * 1024
/** Length to which lines of output are truncated, characters. */
export const LINE_MAX = 2_000
