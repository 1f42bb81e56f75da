import { z } from 'zod'
import { compareStrings } from '../../formats/compare-strings.ts'
import { LISTED_FILE_BYTES_MAX } from '../../formats/digest/block-list.ts'
import { safetensorsHead } from '../../formats/safetensors/safetensors.ts'
import { byteString, hashCanonical } from '../encoding/canonical-cbor.ts'

const MIB = 1024 * 1024
const WEIGHTS_INDEX = 'model.safetensors.index.json'
/** Largest size of each file by name, bytes: far above the largest known. */
const BYTES_MAX: ReadonlyMap<string, number> = new Map([
  ['config.json', MIB],
  ['generation_config.json', MIB],
  ['tokenizer.json', 128 * MIB],
  ['tokenizer_config.json', 16 * MIB],
  ['special_tokens_map.json', MIB],
  ['added_tokens.json', 16 * MIB],
  ['chat_template.jinja', MIB],
  ['chat_template.json', MIB],
  [WEIGHTS_INDEX, 128 * MIB]
])
/** Files that every model needs. */
const NEEDED = ['config.json', 'tokenizer.json', 'tokenizer_config.json']
/** Names of weight files: plain names, so that none leads out of the folder. */
const WEIGHTS_NAME = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}\.safetensors$/
const FILES_MAX = 256

/** Whether a file in a base model's folder changes what the model computes or how text becomes tokens. */
export function isBaseFileName(name: string): boolean {
  return BYTES_MAX.has(name) || WEIGHTS_NAME.test(name)
}

/** Largest size of a file of a base model, bytes. */
export function baseFileBytesMax(name: string): number {
  return BYTES_MAX.get(name) ?? LISTED_FILE_BYTES_MAX
}

const baseFileSchema = z.strictObject({
  /** Name in the model's folder. */
  path: z.string().refine(isBaseFileName, 'is not a file of a base model'),
  bytes: z.number().int().positive().max(LISTED_FILE_BYTES_MAX),
  /** SHA-256 of the file's block list: the concatenated digests of its blocks of 1 MiB. */
  blocks: byteString(32)
})

/** The files of a base model that a charter covers, sorted by name. */
export const baseFilesSchema = z
  .array(baseFileSchema)
  .max(FILES_MAX)
  .superRefine((files, context) => {
    const wrong = (message: string) => context.addIssue({ code: 'custom', message })
    for (const [index, { path, bytes }] of files.entries()) {
      if (index > 0 && compareStrings(files[index - 1]!.path, path) >= 0)
        wrong('must be sorted by name, each once')
      if (bytes > baseFileBytesMax(path)) wrong(`${path} is larger than ${baseFileBytesMax(path)} bytes`)
    }
    for (const name of NEEDED) if (!files.some(({ path }) => path === name)) wrong(`lack ${name}`)
    if (!files.some(({ path }) => WEIGHTS_NAME.test(path))) wrong('lack weights')
  })

/** A file of a base model, as listed in a charter. */
export type BaseFile = z.infer<typeof baseFileSchema>

/** One digest of all files of a base model, for people to compare. */
export function baseDigest(files: readonly BaseFile[]): Uint8Array {
  return hashCanonical('base', files)
}

/** A module that members may adapt. */
interface ModuleShape {
  readonly module: string
  readonly inFeatures: number
  readonly outFeatures: number
}

/** Exact length of the canonical file of a round's merged modules, bytes: a header, then the weights in float32. */
export function modelFileBytes(modules: readonly ModuleShape[]): number {
  const shapes = modules.map(
    ({ module, inFeatures, outFeatures }) => [`${module}.weight`, [outFeatures, inFeatures]] as const
  )
  const head = safetensorsHead(new Map(shapes)).length
  return modules.reduce((sum, { inFeatures, outFeatures }) => sum + 4 * inFeatures * outFeatures, head)
}
