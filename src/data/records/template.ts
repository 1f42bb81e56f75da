import { z } from 'zod'
import type { ExampleContent } from './example.ts'

/** A user-defined template: texts with the record's keys in braces, `{question}`; `{{` and `}}` are braces. */
export const recordTemplateSchema = z.union([
  z.strictObject({ text: z.string() }),
  z.strictObject({ prompt: z.string(), completion: z.string() })
])
export type RecordTemplate = Readonly<z.infer<typeof recordTemplateSchema>>

/**
 * Puts a record into a template. Values that are no text stand as JSON; what is null is left out.
 *
 * @throws {Error} when the record lacks a key that the template names
 */
export function applyTemplate(template: RecordTemplate, record: unknown): ExampleContent {
  if (typeof record !== 'object' || record === null || Array.isArray(record))
    throw new Error('expected an object with the keys that the template names')
  const fields = record as Readonly<Record<string, unknown>>
  if ('text' in template) return { kind: 'text', text: fill(template.text, fields) }
  return {
    kind: 'completion',
    prompt: fill(template.prompt, fields),
    completion: fill(template.completion, fields)
  }
}

function fill(template: string, record: Readonly<Record<string, unknown>>): string {
  return template.replace(/\{\{|\}\}|\{([^{}]+)\}/g, (whole, key: string | undefined) => {
    if (key === undefined) return whole[0]!
    if (!Object.hasOwn(record, key)) throw new Error(`has no "${key}", which the template names`)
    const value = record[key]
    return typeof value === 'string' ? value : value === null ? '' : JSON.stringify(value)
  })
}
