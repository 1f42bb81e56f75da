import { copyFile, mkdir, readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import {
  type ElementFormat,
  planSafetensorsFiles,
  SAFETENSORS_FILE_BYTES_MAX,
  safetensorsChunks,
  type TensorMap
} from '../../formats/index.ts'
import { type BaseModel, checkpointTensors } from '../../model/index.ts'
import { writeFileAtomic } from '../storage/index.ts'
import { PeerError } from '../storage/peer-error.ts'

const TORCH_TYPES: Readonly<Record<ElementFormat, string>> = {
  F32: 'float32',
  F16: 'float16',
  BF16: 'bfloat16'
}
const CONFIG_FILE = 'config.json'
/** Weights in any format are rewritten; the folder's model card describes another model. */
const NOT_COPIED =
  /\.(safetensors|bin|gguf|h5|msgpack|pt|pth|onnx)$|\.index\.json$|^README\.md$|^training\.json$/

/**
 * Writes a whole model as a Hugging Face folder: config and tokenizer of the base, its weights in files of at most 5 GB.
 *
 * @param weights every parameter by Hugging Face name
 * @param fileBytesMax largest file, bytes of tensors; a tensor is never cut
 * @returns names of the files, sorted
 * @throws {PeerError} when the folder is the base's own, or not empty
 */
export async function writeModelFolder(
  folder: string,
  base: BaseModel,
  weights: TensorMap,
  dtype: ElementFormat,
  fileBytesMax = SAFETENSORS_FILE_BYTES_MAX
): Promise<string[]> {
  await mkdir(folder, { recursive: true })
  if ((await readdir(folder)).length > 0) throw new PeerError(`${folder} is not empty: choose another folder`)
  const tensors = checkpointTensors(base.config, weights)
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
  const config = JSON.parse(await readFile(join(base.folder, CONFIG_FILE), 'utf8')) as object
  // Last: a folder with a config counts as a complete model.
  await writeJson(join(folder, CONFIG_FILE), { ...config, torch_dtype: TORCH_TYPES[dtype] })
  return (await readdir(folder)).sort()
}

async function writeJson(path: string, value: object): Promise<void> {
  await writeFileAtomic(path, new TextEncoder().encode(`${JSON.stringify(value, undefined, 2)}\n`))
}
