import { z } from 'zod'
import type { ExampleContent } from './example.ts'

/**
 * A user-defined template: texts with the record's keys in braces, as in `{question}`; `{{` and `}}` are literal
 * braces.
 */
export const recordTemplateSchema = z.union([
  z.strictObject({ text: z.string() }),
  z.strictObject({ prompt: z.string(), completion: z.string() })
])
export type RecordTemplate = Readonly<z.infer<typeof recordTemplateSchema>>

/**
 * Fills a template from a record. Values other than strings are written as JSON; null becomes an empty text.
 *
 * @throws {Error} when the record lacks a key of the template
 */
export function applyTemplate(template: RecordTemplate, record: unknown): ExampleContent {
  if (typeof record !== 'object' || record === null || Array.isArray(record))
    throw new Error('expected an object with the keys of the template')
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
    if (!Object.hasOwn(record, key)) throw new Error(`has no "${key}", which the template uses`)
    const value = record[key]
    return typeof value === 'string' ? value : value === null ? '' : JSON.stringify(value)
  })
}
