import { copyFile, mkdir, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import {
  type ElementFormat,
  editJson,
  planSafetensorsFiles,
  readTextFile,
  SAFETENSORS_FILE_BYTES_MAX,
  safetensorsChunks,
  type TensorMap
} from '../../formats/index.ts'
import { type BaseModel, checkpointTensors, type ModelConfig, writtenTensors } from '../../model/index.ts'
import { removeReplaced, requireFreeFolder, requireOtherFolder, writeFileAtomic } from '../storage/index.ts'
import { requireRange } from './require-range.ts'

const TORCH_TYPES: Readonly<Record<ElementFormat, string>> = {
  F32: 'float32',
  F16: 'float16',
  BF16: 'bfloat16'
}
const CONFIG_FILE = 'config.json'
/** Weights in any format are rewritten; the folder's model card describes another model. */
const NOT_COPIED =
  /\.(safetensors|bin|gguf|h5|msgpack|pt|pth|onnx)$|\.index\.json$|^README\.md$|^training\.json$|^adapter_config\.json$/
/** Files of an earlier model that would be read with the new one's. */
const REPLACED =
  /\.(safetensors|bin|index\.json|jinja)$|^(?:(?:adapter_|generation_)?config|tokenizer.*|special_tokens_map|added_tokens|vocab)\.json$|^tokenizer\.model$|^merges\.txt$/

/** How a model folder is written. */
export interface ModelFolderOptions {
  readonly dtype: ElementFormat
  /** Whether the files of a model that is in the folder already are replaced; refused if absent. */
  readonly overwrite?: boolean | undefined
  /** Largest file, bytes of tensors; a tensor is never cut. */
  readonly fileBytesMax?: number
}

/**
 * Writes a whole model as a Hugging Face folder: config and tokenizer of the base, its weights in files of at most 5 GB. A
 * text model that is a part of a larger one is written back into it: the other parts are those of the base's folder.
 *
 * @param weights every parameter by Hugging Face name
 * @returns names of the files, sorted
 * @throws {PeerError} when the folder is the base's own, or not empty; when a weight has no number in the dtype
 */
export async function writeModelFolder(
  folder: string,
  base: BaseModel,
  weights: TensorMap,
  { dtype, overwrite, fileBytesMax = SAFETENSORS_FILE_BYTES_MAX }: ModelFolderOptions
): Promise<string[]> {
  await requireFreeFolder(folder, overwrite)
  requireRange(weights, dtype)
  await mkdir(folder, { recursive: true })
  await requireOtherFolder(folder, { 'the base model': base.folder })
  await removeReplaced(folder, REPLACED)
  const tensors = writtenTensors(base.folder, base.config, checkpointTensors(base.config, weights))
  const { files, index } = planSafetensorsFiles(tensors, dtype, fileBytesMax)
  for (const { file, names } of files) {
    const part = new Map(names.map((name) => [name, tensors.get(name)!]))
    await writeFileAtomic(join(folder, file), safetensorsChunks(part, { dtype, metadata: { format: 'pt' } }))
  }
  if (index !== undefined) await writeJson(join(folder, 'model.safetensors.index.json'), index)
  for (const entry of await readdir(base.folder, { withFileTypes: true })) {
    if (!entry.isFile() || entry.name === CONFIG_FILE || NOT_COPIED.test(entry.name)) continue
    await copyFile(join(base.folder, entry.name), join(folder, entry.name))
  }
  // Last: a folder with a config counts as a complete model.
  const path = join(base.folder, CONFIG_FILE)
  const config = editJson(readTextFile(path), path, (json) => configWith(json as object, base.config, dtype))
  await writeFileAtomic(join(folder, CONFIG_FILE), new TextEncoder().encode(`${config}\n`))
  return (await readdir(folder)).sort()
}

/** The base's config.json with the one dtype of the files: `dtype` as transformers 5 writes it, or `torch_dtype`. */
function configWith(config: object, { family = 'llama' }: ModelConfig, dtype: ElementFormat): object {
  const { dtype: newer, torch_dtype, ...others } = config as Record<string, unknown>
  const rope = others.rope_parameters as Record<string, unknown> | null | undefined
  // Of Llama, what is nested by kind of layer is equal, and transformers reads it only if it is not nested.
  const nested = rope?.full_attention ?? rope?.sliding_attention
  if (family === 'llama' && nested !== undefined) others.rope_parameters = nested
  return { ...others, [newer === undefined ? 'torch_dtype' : 'dtype']: TORCH_TYPES[dtype] }
}

async function writeJson(path: string, value: object): Promise<void> {
  await writeFileAtomic(path, new TextEncoder().encode(`${JSON.stringify(value, undefined, 2)}\n`))
}
