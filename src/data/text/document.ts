/** One text of a corpus. */
export interface TextDocument {
  /** Unique within the project: the corpus, then the place inside it (`state-of-the-union/1862/3`). */
  readonly id: string
  readonly text: string
}
