/** A sentence of a document that the tree does not bear out. */
export interface Fault {
  readonly path: string
  readonly line: number
  /** What is quoted, and what is wrong with it. */
  readonly what: string
}
