import { z } from 'zod'

/** Description of a setting, from which `--help`, `loam config` and the reference in docs/ are generated. */
export interface SettingNotes {
  /** One line, without a full stop. */
  readonly description: string
  /** What it accepts, in a form that follows "must be". */
  readonly accepts: string
  readonly unit?: string
  /** What applies when a setting without a default value is not given. */
  readonly absent?: string
  /** Whether it has to be given. */
  readonly isRequired?: boolean
  /** Its flag in commander's notation: `--rank <n>`; without one it can only be set by `--set`. */
  readonly flag?: string
  /** The environment variable of a secret, which neither a file nor a flag may give. */
  readonly secretFrom?: string
}

const registry = z.registry<SettingNotes>()

/**
 * Makes a schema a setting; last, since what is derived from a schema does not inherit its notes.
 *
 * @throws {Error} for a schema that is a setting already
 */
export function setting<Schema extends z.ZodType>(schema: Schema, notes: SettingNotes): Schema {
  if (registry.has(schema)) throw new Error(`one schema for two settings: ${notes.description}`)
  registry.add(schema, notes)
  return schema
}

/** A setting that is on or off. */
export function toggle(byDefault: boolean, description: string, flag?: string) {
  return setting(z.boolean().default(byDefault), {
    description,
    accepts: 'true or false',
    ...(flag !== undefined && { flag })
  })
}

/** The notes of a setting. @throws {Error} for a schema without notes */
export function notesOf(schema: z.ZodType): SettingNotes {
  const notes = registry.get(schema)
  if (notes === undefined) throw new Error('a key without notes: wrap its schema in setting()')
  return notes
}

/**
 * The same check with other notes, for a setting that two commands describe in different words.
 *
 * @throws {Error} for a schema without notes
 */
export function renoted<Schema extends z.ZodType>(schema: Schema, notes: Partial<SettingNotes>): Schema {
  return setting(schema.clone() as Schema, { ...notesOf(schema), ...notes })
}

/** One setting and everything known about it. */
export interface Setting extends SettingNotes {
  /** Its place among the settings: `network.listen`. */
  readonly key: string
  readonly kind: SettingKind
  readonly schema: z.ZodType
  /** Its default value; undefined if `absent` describes it instead. */
  readonly defaultValue: unknown
}

/** A setting as a record. @throws {Error} for a schema without notes */
export function describeSetting(key: string, schema: z.ZodType): Setting {
  return {
    key,
    schema,
    kind: kindOf(schema),
    defaultValue: schema.safeParse(undefined).data,
    ...notesOf(schema)
  }
}

/** How a flag's text becomes a setting's value. */
export type SettingKind = 'number' | 'boolean' | 'list' | 'choice' | 'text'

/** The kind of a setting's schema, without the default around it. */
export function kindOf(schema: z.ZodType): SettingKind {
  if (schema instanceof z.ZodDefault || schema instanceof z.ZodOptional)
    return kindOf(schema.def.innerType as z.ZodType)
  if (schema instanceof z.ZodNumber) return 'number'
  if (schema instanceof z.ZodBoolean) return 'boolean'
  if (schema instanceof z.ZodArray) return 'list'
  if (schema instanceof z.ZodEnum) return 'choice'
  return 'text'
}

/**
 * A flag's text converted to the type of its schema; text that is not a number stays text, for the schema to refuse.
 */
export function valueOfText(schema: z.ZodType, text: string): unknown {
  switch (kindOf(schema)) {
    case 'number':
      return /^\s*-?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?\s*$/i.test(text) ? Number(text) : text
    case 'boolean':
      return text === 'true' ? true : text === 'false' ? false : text
    case 'list':
      return text
        .split(',')
        .map((part) => part.trim())
        .filter((part) => part !== '')
    case 'choice':
    case 'text':
      return text
  }
}
