import { existsSync } from 'node:fs'
import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { compareStrings } from '../../formats/index.ts'
import { weightFiles } from '../../model/index.ts'
import { isBaseFileName } from '../../protocol/index.ts'
import { messageOf, PeerError } from '../storage/peer-error.ts'

const INDEX = 'model.safetensors.index.json'
const WEIGHTS_ENDING = '.safetensors'

/**
 * Files of a model folder that change nothing: texts about it; parts of the tokenizer, which tokenizer.json holds
 * completely; the same weights in formats that are not supported; code, which is never run; preprocessors of images and
 * sound.
 */
const WITHOUT_EFFECT: readonly RegExp[] = [
  /^\./,
  /^(readme|licen[cs]e|notice|copying|use_policy|acceptable_use_policy|usage_policy|authors)\b/i,
  /\.(md|txt|rst|pdf|png|jpe?g|gif|svg|webp|ipynb|csv|tsv|log)$/i,
  /^(training|trainer_state|params|vocab|merges|tekken)\.json$/,
  /^(pre)?processor_config\.json$|^video_preprocessor_config\.json$/,
  /\.(model|tiktoken|py)$/,
  /\.(bin|gguf|ggml|onnx|pt|pth|ckpt|h5|msgpack|ot|tflite|npz|mlmodel|safetensors)$/,
  /\.(bin|h5|msgpack|pt)\.index\.json$/
]
/** Files that other programs load into the model or the chat when they open the folder. */
const NEVER = /^adapter_|^additional_chat_templates$/

/**
 * The names of the files in a model's folder that a charter covers, sorted: the weights that are loaded, config.json,
 * and everything that turns text into tokens.
 *
 * @throws {PeerError} when the folder has no model, or a file that could change what the model computes and cannot be
 * covered
 */
export async function coveredFiles(folder: string): Promise<string[]> {
  for (const name of ['config.json', 'tokenizer.json', 'tokenizer_config.json'])
    if (!existsSync(join(folder, name)))
      throw new PeerError(`${folder} contains no base model (no ${name}): set --model to its folder`)
  const weights = loadedWeights(folder)
  const covered: string[] = []
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const { name } = entry
    if (NEVER.test(name)) throw refusal(folder, name)
    if (entry.isDirectory() || (entry.isSymbolicLink() && (await isFolder(join(folder, name))))) continue
    const isWeights = name.endsWith(WEIGHTS_ENDING) || name === INDEX
    if (isWeights ? weights.has(name) : isBaseFileName(name)) covered.push(name)
    else if (!isWeights && !WITHOUT_EFFECT.some((pattern) => pattern.test(name))) throw refusal(folder, name)
  }
  return covered.sort(compareStrings)
}

async function isFolder(path: string): Promise<boolean> {
  return (await stat(path)).isDirectory()
}

/** The weight files that are read, and the index that names them. */
function loadedWeights(folder: string): Set<string> {
  try {
    const names = weightFiles(folder)
    for (const name of names)
      if (!isBaseFileName(name))
        throw new Error(`${name} is not a valid name for a weight file of a base model`)
    return new Set(names.length === 1 && names[0] === 'model.safetensors' ? names : [...names, INDEX])
  } catch (error) {
    throw new PeerError(`${folder} contains no base model: ${messageOf(error)}`)
  }
}

function refusal(folder: string, name: string): PeerError {
  return new PeerError(
    `${join(folder, name)} could change what the base model computes, and a charter does not cover it: move it out of the folder`
  )
}
