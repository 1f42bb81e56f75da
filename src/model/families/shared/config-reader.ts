import { z } from 'zod'
import { UnsupportedModelError } from './model-family.ts'

export const count = z.number().int().positive()
/** Number of layers: far above that of any model, and few enough to count them one by one. */
export const layerCount = count.max(16_384)
export const tokenId = z
  .union([z.number().int().nonnegative(), z.array(z.number().int().nonnegative())])
  .nullish()

/** The config as the schema reads it. @throws {UnsupportedModelError} naming the first key that does not fit */
export function readConfig<Schema extends z.ZodType>(schema: Schema, json: unknown): z.output<Schema> {
  const parsed = schema.safeParse(json)
  if (parsed.success) return parsed.data
  const [issue] = parsed.error.issues
  throw new UnsupportedModelError(`config.json, ${issue?.path.join('.') || 'whole file'}: ${issue?.message}`)
}

/** @throws {UnsupportedModelError} always: `key` of config.json has a `value` that is not supported */
export function refuseKey(key: string, value: unknown, wanted: string): never {
  throw new UnsupportedModelError(
    `config.json, ${key}: ${JSON.stringify(value)} is not supported (supported: ${wanted})`
  )
}

/** The `model_type` of a config.json. @throws {UnsupportedModelError} when it is none of `known` */
export function requireModelType<Type extends string>(given: string, known: readonly Type[]): Type {
  return known.find((name) => name === given) ?? refuseKey('model_type', given, known.join(', '))
}

/** The first of the ids that a key of config.json names. */
export function firstId(id: number | number[] | null | undefined): number | undefined {
  return (Array.isArray(id) ? id[0] : id) ?? undefined
}
