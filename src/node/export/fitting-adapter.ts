import { join } from 'node:path'
import type { LoraAdapter, PeftAdapter } from '../../adapter/index.ts'
import { decodeElements, encodeElements, readJsonObject, type Tensor } from '../../formats/index.ts'
import { linearModules, loadBaseModel, parameterShapes, parseModelConfig } from '../../model/index.ts'
import { PeerError } from '../storage/peer-error.ts'

/** Modules that one message names. */
const NAMED_MAX = 4

/**
 * Checks that an adapter is of a base model, and all of it there.
 *
 * @param peft what its folder says; absent for an adapter that is not from PEFT
 * @throws {PeerError} when a module has no counterpart in the model, factors are missing, or the adapter's file has other
 *   weights of the base beside them
 */
export function requireFittingAdapter(
  path: string,
  baseFolder: string,
  { adapter, names, copies }: Pick<PeftAdapter, 'adapter'> & Partial<PeftAdapter>
): void {
  const config = parseModelConfig(readJsonObject(join(baseFolder, 'config.json')))
  const shapes = parameterShapes(config)
  requireModules(path, adapter, shapes)
  const known = [...linearModules(config).keys(), ...(shapes.has('lm_head.weight') ? ['lm_head'] : [])]
  const there = new Set(adapter.pairs.map(({ module }) => module))
  const missing = known.filter((module) => names?.(module) === true && !there.has(module))
  if (missing.length > 0)
    throw new PeerError(
      `${path}: adapter_model.safetensors has no factors of ${listed(missing)}, which target_modules in adapter_config.json asks for: save the adapter again where it was trained, or name in target_modules only what was`
    )
  if (copies === undefined || copies.size === 0) return
  const { weights } = loadBaseModel(baseFolder)
  for (const [name, copy] of copies)
    if (!isCopyOf(copy, weights.get(name) ?? embeddingOf(name, weights)))
      throw new PeerError(
        `${path}: adapter_model.safetensors has a ${name} that differs from the base model's: it was resized or trained beside the factors, which is not supported; merge the adapter in PEFT, model.merge_and_unload().save_pretrained(folder), and take the folder as the base`
      )
}

function requireModules(
  path: string,
  adapter: LoraAdapter,
  shapes: ReadonlyMap<string, readonly number[]>
): void {
  for (const { module, inFeatures, outFeatures } of adapter.pairs) {
    const shape = shapes.get(`${module}.weight`)
    if (shape !== undefined && `${shape}` === `${[outFeatures, inFeatures]}`) continue
    const found =
      shape !== undefined
        ? `is [${shape}] in the model`
        : module === 'lm_head'
          ? 'is the embedding in this model (tie_word_embeddings), which factors for the head alone do not fit: train the adapter without lm_head'
          : 'is not in the model'
    throw new PeerError(
      `${path} does not fit the base model: the adapter's ${module} [${outFeatures},${inFeatures}] ${found}`
    )
  }
}

/** A tied head is the embedding. */
function embeddingOf(name: string, weights: ReadonlyMap<string, Tensor>): Tensor | undefined {
  return name === 'lm_head.weight' ? weights.get('model.embed_tokens.weight') : undefined
}

/** Whether a tensor has the values of another, or these rounded to a shorter format. */
function isCopyOf(copy: Tensor, original: Tensor | undefined): boolean {
  if (original === undefined || `${copy.shape}` !== `${original.shape}`) return false
  const same = (data: Float32Array): boolean =>
    data.every((value, index) => Object.is(value, copy.data[index]))
  if (same(original.data)) return true
  return (['BF16', 'F16'] as const).some((format) =>
    same(decodeElements(encodeElements(original.data, format), format))
  )
}

function listed(modules: readonly string[]): string {
  const more = modules.length - NAMED_MAX
  return `${modules.slice(0, NAMED_MAX).join(', ')}${more > 0 ? ` and ${more} more modules` : ''}`
}
