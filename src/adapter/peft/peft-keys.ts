import { unwrappedName } from '../../formats/hugging-face/wrapped-names.ts'

/** Which factor of a LoRA pair: A [rank, in] or B [out, rank]. Identified by name, never by shape. */
export type LoraFactor = 'A' | 'B'

const PREFIX = 'base_model.model.'
const KEY_PATTERN = /^base_model\.model\.(.+)\.lora_([AB])\.weight$/
/** With or without the adapter's name as in a running PEFT model (`lora_A.default.weight`). */
const ANY_KEY_PATTERN = /^(.+)\.lora_([AB])(?:\.([^.]+))?\.weight$/

const COPY_PATTERN = /^(.+)\.base_layer\.weight$/

/** The name that PEFT (Hugging Face) gives a factor: `base_model.model.<module>.lora_A.weight`. */
export function peftKey(module: string, factor: LoraFactor): string {
  return `${PREFIX}${module}.lora_${factor}.weight`
}

/** The module and factor of a PEFT key, or undefined for any other name. */
export function parsePeftKey(key: string): { module: string; factor: LoraFactor } | undefined {
  const match = KEY_PATTERN.exec(key)
  return match === null ? undefined : { module: match[1]!, factor: match[2] === 'A' ? 'A' : 'B' }
}

/** The meaning of a tensor's key in an adapter file. */
export type ForeignKey =
  | {
      readonly module: string
      readonly factor: LoraFactor
      /** The adapter's name in the key, if it has one. */
      readonly adapterName: string | undefined
    }
  /** A copy of the base's weight, which PEFT saves beside the factors of the output head or the embedding. */
  | { readonly copyOf: string }
  /** Why the tensor is not a LoRA factor and what to do, as the end of a sentence. */
  | { readonly fault: string }

/**
 * Reads a key as other programs write it: with and without PEFT's prefix, with the adapter's name, of a model that was
 * wrapped (compiled, sharded, in DistributedDataParallel).
 */
export function readForeignKey(key: string): ForeignKey {
  let name = unwrappedName(key)
  if (name.startsWith('module.')) name = name.slice('module.'.length)
  while (name.startsWith(PREFIX)) name = name.slice(PREFIX.length)
  const match = ANY_KEY_PATTERN.exec(name)
  if (match !== null)
    return { module: match[1]!, factor: match[2] === 'A' ? 'A' : 'B', adapterName: match[3] }
  const copy = COPY_PATTERN.exec(name)
  if (copy !== null) return { copyOf: `${copy[1]!}.weight` }
  return { fault: FAULTS.find(([pattern]) => pattern.test(name))?.[1] ?? 'is not a LoRA factor' }
}

const MERGE =
  'merge the adapter in PEFT, model.merge_and_unload().save_pretrained(folder), and take the folder as the base'
const FAULTS: readonly (readonly [RegExp, string])[] = [
  [/\.lora_magnitude_vector\b/, `belongs to DoRA (use_dora), which is not supported: ${MERGE}`],
  [/\.lora_embedding_[AB]\b/, `adapts an embedding, which is not supported: ${MERGE}`],
  [
    /\.lora_[AB](?:\.[^.]+)?\.bias$/,
    `is a bias beside a factor (lora_bias), which is not supported: ${MERGE}`
  ],
  [/\.(?:hada|lokr|oft|ia3|vera|adalora|lora_E|ranknum)\w*/, 'belongs to a method other than LoRA'],
  [
    /(?:^|\.)(?:modules_to_save|lm_head|embed_tokens|wte|wpe|score|classifier)\./,
    `is a whole module that was trained or saved beside the factors (modules_to_save, or resized embeddings), which is not supported: ${MERGE}`
  ],
  [/\.bias$/, `is a bias that was trained (bias: "all" or "lora_only"), which is not supported: ${MERGE}`]
]

/** The name of a module's dense residual beside its factors; only Loam reads it. */
export function residualKey(module: string): string {
  return `${PREFIX}${module}.residual.weight`
}
