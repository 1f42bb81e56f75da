/** A turn of a conversation, as chat templates know it. */
export interface ChatMessage {
  readonly role: string
  /** Absent where an answer is made of tool calls alone. */
  readonly content?: string
  /** What else templates read, by their names for it: `tool_calls`, `tool_call_id`, `name`, `reasoning_content`. */
  readonly extra?: Readonly<Record<string, unknown>>
  /** False for an answer that is read but not learned. */
  readonly isLearned?: boolean
}

/** What a record of a data file says, before a template is put around it. */
export type ExampleContent =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'completion'; readonly prompt: string; readonly completion: string }
  | {
      readonly kind: 'chat'
      readonly messages: readonly ChatMessage[]
      /** What the assistant may call, as the template's `tools`. */
      readonly tools?: readonly unknown[]
    }

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
