/** How a row of the table came about. */
export type Mode = 'simulated' | 'vote-path' | 'committee' | 'processes'

/** What a round costs one member. */
export interface CostRow {
  readonly members: number
  readonly mode: Mode
  /** Control messages that a member receives in a round. */
  readonly messages: number
  /** Bytes of them; among real processes those of gossip's frames. */
  readonly bytes: number
  /**
   * From the last certificate to the last seal, in one-way delays; on the vote path from the proposal to the last commit.
   * Null where a delay is nothing that can be told.
   */
  readonly delays: number | null
  /** Control messages that a member sends in a round: broadcasts in simulation, copies on the wire among real processes. */
  readonly sent: number
  /** Rounds that were counted. */
  readonly rounds: number
}

/** What can be seen in real processes alone. */
export interface ProcessRow extends CostRow {
  readonly mode: 'processes'
  /** Messages that the member had not got before. */
  readonly distinct: number
  /** Bytes of those, without what gossip wraps around them. */
  readonly distinctBytes: number
  /** Bytes that sync brought. */
  readonly syncBytes: number
  /** Whole round, training and blocks included, seconds. */
  readonly roundSeconds: number
  /** From the time when a quorum holds all certificates until a quorum has sealed; median over the rounds, milliseconds. */
  readonly sealMs: number
  /** What stacking, merging and writing the model takes of that, median, milliseconds. */
  readonly stackMs: number
}
