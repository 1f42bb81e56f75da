/** One text of a corpus. */
export interface TextDocument {
  /** Unique in the project: corpus, then place inside it (`state-of-the-union/1862/3`). */
  readonly id: string
  readonly text: string
}
