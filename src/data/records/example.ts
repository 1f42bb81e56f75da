/** A turn of a conversation, as chat templates know it. */
export interface ChatMessage {
  readonly role: string
  readonly content: string
}

/** What a record of a data file says, before a template is put around it. */
export type ExampleContent =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'completion'; readonly prompt: string; readonly completion: string }
  | { readonly kind: 'chat'; readonly messages: readonly ChatMessage[] }

/** One training example. */
export interface TrainingExample {
  readonly content: ExampleContent
  /** Where it stands, `file:line`. */
  readonly source: string
  /** Its class, where the record names one (Dolly's `category`, or `label`): for splits by class. */
  readonly label?: string
}

/** Data that cannot be read; the message names file and line. */
export class DataError extends Error {
  override readonly name = 'DataError'
}
