/**
 * Common file formats as values: safetensors, GGUF, element formats, digests. This is the ground floor: it imports no
 * other room, and its encoders and decoders do no I/O.
 *
 * @example
 * ```ts
 * const { tensors } = decodeSafetensors(await readFile('model.safetensors'))
 * ```
 */
export { compareStrings } from './compare-strings.ts'
export {
  BlockListHash,
  blockListBytes,
  blockListDigest,
  FILE_BLOCK_BYTES,
  type FileBlock,
  fileBlocks,
  LISTED_FILE_BYTES_MAX,
  type ListedFile,
  readBlockList
} from './digest/block-list.ts'
export { fileDigest } from './digest/file-digest.ts'
export { modelDigest, sha256Hex, stackDigest } from './digest/tensors-digest.ts'
export {
  decodeElements,
  ELEMENT_FORMAT_BYTES,
  type ElementFormat,
  encodeElements,
  isElementFormat,
  widenElements
} from './elements/element-formats.ts'
export { rangeFault } from './elements/element-range.ts'
export { float32Bytes } from './elements/little-endian.ts'
export { notTheFileItself } from './files/not-the-file.ts'
export { readTextFile } from './files/read-text.ts'
export { requireRegularFile } from './files/regular-file.ts'
export { decodeUtf8, decodeUtf8Stream, TextEncodingError } from './files/utf8-text.ts'
export { FormatError } from './format-error.ts'
export {
  type EncodeGgufOptions,
  type GgufFile,
  type GgufValue,
  ggufChunks
} from './gguf/gguf.ts'
export { type GgufArchitecture, type GgufLayout, ggufModules, ggufParts } from './gguf/llama-names.ts'
export { findUnreadKeys, type KeyTable, unreadKeys } from './hugging-face/checked-keys.ts'
export { readJsonObject } from './hugging-face/read-json.ts'
export { unwrappedName } from './hugging-face/wrapped-names.ts'
export { editJson } from './json/edit-json.ts'
export { parseJson } from './json/parse-json.ts'
export { loadZstd, unpackZstd, zstdFrameHeader } from './packing/zstd.ts'
export { patternFault } from './patterns/pattern-check.ts'
export {
  parseSafetensorsHeader,
  type SafetensorsEntry,
  SafetensorsError,
  type SafetensorsHeader
} from './safetensors/header.ts'
export {
  type DecodedSafetensors,
  type DecodeSafetensorsOptions,
  decodeSafetensors,
  type EncodeSafetensorsOptions,
  encodeSafetensors,
  type SafetensorsDtype,
  safetensorsChunks,
  safetensorsHead,
  safetensorsHead32
} from './safetensors/safetensors.ts'
export {
  planSafetensorsFiles,
  SAFETENSORS_FILE_BYTES_MAX,
  type SafetensorsFilePlan,
  type SafetensorsFiles
} from './safetensors/split-files.ts'
export type { Tensor, TensorMap } from './tensor.ts'
