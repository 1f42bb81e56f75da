import { open, rename, truncate } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { readJsonObject } from '../../formats/hugging-face/read-json.ts'
import { HEADER_BYTES_MAX, LENGTH_BYTES, parseSafetensorsHeader } from '../../formats/safetensors/header.ts'
import { type ModelConfig, parseModelConfig } from '../../model/families/index.ts'
import { syncFolder, writeFileAtomic } from '../storage/index.ts'
import { PeerError } from '../storage/peer-error.ts'

const COPY_BYTES = 4 * 1024 * 1024

/** One weight file in the stream of all of them. */
interface WeightPart {
  readonly begin: number
  readonly end: number
  readonly tensors: readonly string[]
}

/**
 * Makes a folder that a base model is loaded from out of config.json, tokenizer.json and `weights`, the stream of all weight
 * files, all three with the charter's digests. Where one file ends and the next begins is what their headers say, and
 * their names, the index and tokenizer_config.json are written here: nothing in the folder is anybody's word.
 *
 * @throws {PeerError} when the stream is no sequence of safetensors files
 */
export async function completeBaseFolder(folder: string): Promise<void> {
  const config = parseModelConfig(readJsonObject(join(folder, 'config.json')))
  await writeJson(
    join(folder, 'tokenizer_config.json'),
    tokenizerConfig(readJsonObject(join(folder, 'tokenizer.json')), config)
  )
  const weights = join(folder, 'weights')
  const parts = await weightParts(weights)
  if (parts.length === 1) await rename(weights, join(folder, 'model.safetensors'))
  else await split(folder, weights, parts)
  await syncFolder(folder)
}

/** Which bytes belong to which file. */
export async function weightParts(path: string): Promise<WeightPart[]> {
  const file = await open(path, 'r')
  try {
    const { size } = await file.stat()
    const parts: WeightPart[] = []
    for (let begin = 0; begin < size; ) {
      const head = await read(LENGTH_BYTES, begin)
      const length = LENGTH_BYTES + Number(new DataView(head.buffer).getBigUint64(0, true))
      if (length > Math.min(size - begin, HEADER_BYTES_MAX)) throw new Error('a header is too long')
      const header = await read(length, begin)
      const end = begin + length + dataLength(header.subarray(LENGTH_BYTES))
      const { entries } = parseSafetensorsHeader(header, undefined, end - begin)
      if (end > size) throw new Error('the last file is cut off')
      parts.push({ begin, end, tensors: entries.map(({ name }) => name) })
      begin = end
    }
    return parts
  } catch (error) {
    throw new PeerError(
      `the consortium's weights are no safetensors files, one after the other: ${(error as Error).message}`
    )
  } finally {
    await file.close()
  }

  async function read(length: number, position: number): Promise<Uint8Array<ArrayBuffer>> {
    const bytes = new Uint8Array(length)
    const { bytesRead } = await file.read(bytes, 0, length, position)
    if (bytesRead < length) throw new Error('a header is cut off')
    return bytes
  }
}

const offsetsSchema = z.looseObject({ data_offsets: z.tuple([z.number(), z.number()]) })

/** Bytes of data that a header tells of. */
function dataLength(header: Uint8Array): number {
  const json = z.record(z.string(), z.unknown()).parse(JSON.parse(new TextDecoder().decode(header)))
  return Object.values(json).reduce<number>((end, entry) => {
    const offsets = offsetsSchema.safeParse(entry)
    return offsets.success ? Math.max(end, offsets.data.data_offsets[1]) : end
  }, 0)
}

/** From the last to the first, each cut off once it is copied: no more room is needed than for the longest. */
async function split(folder: string, weights: string, parts: readonly WeightPart[]): Promise<void> {
  const digits = (number: number) => String(number).padStart(5, '0')
  const names = parts.map((_, index) => `model-${digits(index + 1)}-of-${digits(parts.length)}.safetensors`)
  const entries = parts.flatMap(({ tensors }, index) => tensors.map((name) => [name, names[index]!] as const))
  await writeJson(join(folder, 'model.safetensors.index.json'), {
    metadata: { total_size: parts.reduce((sum, { begin, end }) => sum + end - begin, 0) },
    weight_map: Object.fromEntries(entries)
  })
  for (let index = parts.length - 1; index > 0; index--) {
    const { begin, end } = parts[index]!
    await copyRange(weights, begin, end, join(folder, names[index]!))
    await truncate(weights, begin)
  }
  await rename(weights, join(folder, names[0]!))
}

async function copyRange(from: string, begin: number, end: number, to: string): Promise<void> {
  const source = await open(from, 'r')
  const target = await open(to, 'w')
  try {
    const buffer = new Uint8Array(Math.min(COPY_BYTES, end - begin))
    for (let position = begin; position < end; ) {
      const { bytesRead } = await source.read(buffer, 0, Math.min(buffer.length, end - position), position)
      if (bytesRead === 0) throw new Error(`${from} has become shorter`)
      await target.writeFile(buffer.subarray(0, bytesRead))
      position += bytesRead
    }
    await target.sync()
  } finally {
    await source.close()
    await target.close()
  }
}

const tokenizerSchema = z.looseObject({
  added_tokens: z.array(z.looseObject({ id: z.number(), content: z.string() })).optional(),
  model: z.looseObject({
    vocab: z.union([z.record(z.string(), z.number()), z.array(z.tuple([z.string()], z.unknown()))]).optional()
  })
})

/** What loading needs of tokenizer_config.json: the first and last token, by config.json's ids. */
export function tokenizerConfig(
  tokenizerJson: unknown,
  { bosId, eosId }: Pick<ModelConfig, 'bosId' | 'eosId'>
): object {
  // What does not read here is refused, with its reason, where the tokenizer is loaded.
  const parsed = tokenizerSchema.safeParse(tokenizerJson).data
  const added = parsed?.added_tokens ?? []
  const vocab = parsed?.model.vocab ?? {}
  const tokenOf = (id: number | undefined): string | undefined => {
    if (id === undefined) return undefined
    const special = added.find((token) => token.id === id)
    if (special !== undefined) return special.content
    return Array.isArray(vocab) ? vocab[id]?.[0] : Object.keys(vocab).find((token) => vocab[token] === id)
  }
  return {
    tokenizer_class: 'PreTrainedTokenizerFast',
    bos_token: tokenOf(bosId),
    eos_token: tokenOf(eosId),
    clean_up_tokenization_spaces: false
  }
}

function writeJson(path: string, json: object): Promise<void> {
  return writeFileAtomic(path, new TextEncoder().encode(`${JSON.stringify(json, undefined, 2)}\n`))
}
