/** How a row of the table was measured. */
export type Mode = 'simulated' | 'vote-path' | 'committee' | 'processes'

/** What a round costs one member. */
export interface CostRow {
  readonly members: number
  readonly mode: Mode
  /** Control messages that a member receives in a round. */
  readonly messages: number
  /** Their bytes; among real processes, the bytes of gossip's frames. */
  readonly bytes: number
  /**
   * From the last certificate to the last seal, in one-way delays; on the vote path from the proposal to the last
   * commit. Null if delays cannot be measured.
   */
  readonly delays: number | null
  /** Control messages that a member sends in a round: broadcasts in simulation, copies on the wire among real processes. */
  readonly sent: number
  /** Number of rounds counted. */
  readonly rounds: number
}

/** Figures of real processes only. */
export interface ProcessRow extends CostRow {
  readonly mode: 'processes'
  /** Messages that were new to the member. */
  readonly distinct: number
  /** Their bytes, without gossip's framing. */
  readonly distinctBytes: number
  /** Bytes received by sync. */
  readonly syncBytes: number
  /** Whole round, training and blocks included, seconds. */
  readonly roundSeconds: number
  /** From the time when a quorum holds all certificates until a quorum has sealed; median over the rounds, milliseconds. */
  readonly sealMs: number
  /** The part of that for stacking, merging and writing the model, median, milliseconds. */
  readonly stackMs: number
}
