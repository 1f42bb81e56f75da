/** A statement in a document that the tree contradicts. */
export interface Fault {
  readonly path: string
  readonly line: number
  /** What is quoted, and what is wrong with it. */
  readonly what: string
}
