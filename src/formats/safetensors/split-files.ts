import { compareStrings } from '../compare-strings.ts'
import { ELEMENT_FORMAT_BYTES, type ElementFormat } from '../elements/element-formats.ts'
import type { TensorMap } from '../tensor.ts'

/** Largest file that Hugging Face's libraries write, bytes of tensors. */
export const SAFETENSORS_FILE_BYTES_MAX = 5_000_000_000

/** One file of a model's weights, and which tensors are in it. */
export interface SafetensorsFilePlan {
  readonly file: string
  readonly names: readonly string[]
}

/** How a model's weights are divided into files. */
export interface SafetensorsFiles {
  readonly files: readonly SafetensorsFilePlan[]
  /** Contents of `model.safetensors.index.json`; undefined if one file holds everything. */
  readonly index: object | undefined
}

/**
 * Distributes a model's tensors over files named as Hugging Face names them: `model.safetensors`, or
 * `model-00001-of-00002.safetensors` and so on with an index. A tensor is never split.
 */
export function planSafetensorsFiles(
  tensors: TensorMap,
  dtype: ElementFormat,
  maxBytes = SAFETENSORS_FILE_BYTES_MAX
): SafetensorsFiles {
  const groups: string[][] = []
  let filled = Number.POSITIVE_INFINITY
  let total = 0
  for (const name of [...tensors.keys()].sort(compareStrings)) {
    const bytes = tensors.get(name)!.data.length * ELEMENT_FORMAT_BYTES[dtype]
    if (filled + bytes > maxBytes) {
      groups.push([])
      filled = 0
    }
    groups.at(-1)!.push(name)
    filled += bytes
    total += bytes
  }
  if (groups.length <= 1)
    return { files: [{ file: 'model.safetensors', names: groups[0] ?? [] }], index: undefined }
  const count = groups.length
  const files = groups.map((names, index) => ({
    file: `model-${fiveDigits(index + 1)}-of-${fiveDigits(count)}.safetensors`,
    names
  }))
  const weightMap = Object.fromEntries(files.flatMap(({ file, names }) => names.map((name) => [name, file])))
  return { files, index: { metadata: { total_size: total }, weight_map: weightMap } }
}

function fiveDigits(value: number): string {
  return String(value).padStart(5, '0')
}
