/** Which factor of a LoRA pair: A [rank, in] or B [out, rank]. Told by name, never by shape. */
export type LoraFactor = 'A' | 'B'

const PREFIX = 'base_model.model.'
const KEY_PATTERN = /^base_model\.model\.(.+)\.lora_([AB])\.weight$/

/** The name that PEFT (Hugging Face) gives a factor: `base_model.model.<module>.lora_A.weight`. */
export function peftKey(module: string, factor: LoraFactor): string {
  return `${PREFIX}${module}.lora_${factor}.weight`
}

/** The module and factor of a PEFT key, or undefined for any other name. */
export function parsePeftKey(key: string): { module: string; factor: LoraFactor } | undefined {
  const match = KEY_PATTERN.exec(key)
  return match === null ? undefined : { module: match[1]!, factor: match[2] === 'A' ? 'A' : 'B' }
}

/** The name of a module's dense residual beside its factors; no tool but Loam reads it. */
export function residualKey(module: string): string {
  return `${PREFIX}${module}.residual.weight`
}
