import type { Log } from '../../../src/node/log/log.ts'

/** A log that keeps its messages, with their fields, for the test to look at. */
export function memoryLog(): Log & { readonly messages: string[] } {
  const messages: string[] = []
  const note = (fields: object, message: string) => void messages.push(`${message} ${JSON.stringify(fields)}`)
  return { messages, debug: note, info: note, warn: note, error: note }
}
