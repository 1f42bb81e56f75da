import type { LoraAdapter } from '../../adapter/pair/lora-adapter.ts'
import type { FeedValue } from '../executor/index.ts'
import type { LoraNodes, ModelConfig } from '../families/index.ts'
import type { GraphBuilder, GraphNode } from '../graph/index.ts'
import { dropoutName } from './dropout.ts'
import { type LoraSettings, loraModules } from './lora-settings.ts'

/** Input names of a module's LoRA factors. */
export function loraNames(module: string): { readonly A: string; readonly B: string } {
  return { A: `${module}.lora_A.weight`, B: `${module}.lora_B.weight` }
}

/**
 * Declares the graph inputs of every adapted module's factors.
 *
 * @param dropoutRows tokens per batch, if A's inputs have dropout masks; no masks if absent
 */
export function declareLora(
  builder: GraphBuilder,
  config: ModelConfig,
  settings: LoraSettings,
  dropoutRows?: number
): Map<string, LoraNodes> {
  const nodes = new Map<string, LoraNodes>()
  for (const { module, inFeatures, outFeatures, rank, scale } of loraModules(config, settings)) {
    const names = loraNames(module)
    const A = builder.input(names.A, [rank, inFeatures])
    const B = builder.input(names.B, [outFeatures, rank])
    const dropout: GraphNode | false =
      dropoutRows !== undefined && builder.input(dropoutName(module), [dropoutRows, inFeatures])
    nodes.set(module, { A, B, scale, ...(dropout && { dropout }) })
  }
  return nodes
}

/** An adapter's factors as feeds. */
export function loraFeeds({ pairs }: LoraAdapter): Map<string, FeedValue> {
  return new Map(
    pairs.flatMap(({ module, A, B }): [string, FeedValue][] => {
      const names = loraNames(module)
      return [
        [names.A, A],
        [names.B, B]
      ]
    })
  )
}

/** Factors whose product is zero, as feeds: the base alone. */
export function zeroFactors(config: ModelConfig, settings: LoraSettings): Map<string, Float32Array> {
  const feeds = new Map<string, Float32Array>()
  for (const { module, rank, inFeatures, outFeatures } of loraModules(config, settings)) {
    const names = loraNames(module)
    feeds.set(names.A, new Float32Array(rank * inFeatures)).set(names.B, new Float32Array(outFeatures * rank))
  }
  return feeds
}
