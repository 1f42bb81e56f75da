/** A turn of a conversation, in the form that chat templates take. */
export interface ChatMessage {
  readonly role: string
  /** Absent if an answer consists of tool calls alone. */
  readonly content?: string
  /** Other keys that templates read: `tool_calls`, `tool_call_id`, `name`, `reasoning_content`. */
  readonly extra?: Readonly<Record<string, unknown>>
  /** False for an answer that is context but not learned. */
  readonly isLearned?: boolean
}

/** The content of a data record, before a template is applied. */
export type ExampleContent =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'completion'; readonly prompt: string; readonly completion: string }
  | {
      readonly kind: 'chat'
      readonly messages: readonly ChatMessage[]
      /** The tools that the assistant may call, as the template's `tools`. */
      readonly tools?: readonly unknown[]
    }

/** One training example. */
export interface TrainingExample {
  readonly content: ExampleContent
  /** Its place, `file:line`. */
  readonly source: string
  /** Its class, if the record has one (Dolly's `category`, or `label`); used for splits by class. */
  readonly label?: string
}

/** Thrown for data that cannot be read; the message names file and line. */
export class DataError extends Error {
  override readonly name = 'DataError'
}
