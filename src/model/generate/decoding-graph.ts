import { headParameter, hiddenStates, type ModelConfig, parameterShapes } from '../families/index.ts'
import type { AttentionSettings } from '../families/shared/attention.ts'
import { softCapped } from '../families/shared/soft-cap.ts'
import { type Graph, GraphBuilder, type GraphNode, gatherRows, matMul } from '../graph/index.ts'
import { cachedAttention, type PastNodes, placedAttention } from './cached-attention.ts'

/** Size of a decoding graph. */
export interface DecodingShape {
  /** New tokens per run, including padding. */
  readonly length: number
  /** Capacity of the fed cache in tokens; 0 for no cache. */
  readonly capacity: number
  /** Number of rows whose logits are returned; 1 if absent. */
  readonly rows?: number
  /** Whether attention reads new keys and values at their places in the cache; if absent, beside the cache. */
  readonly placed?: boolean
  /** Whether the text is so long that its rotations are others, where there are such lengths; not where it is absent. */
  readonly isLong?: boolean
}

/** Name of the input with the places of a run's tokens: one-hot [1, 1, capacity, length]. */
export const PLACEMENT = 'placement'

/** Names under which a layer's cached keys and values (or what its convolution reads) are fed and its new ones returned. */
export function cacheNames(
  layer: number
): Record<'pastKeys' | 'pastValues' | 'newKeys' | 'newValues' | 'pastRows' | 'newRows', string> {
  return {
    pastRows: `cache.${layer}.past_rows`,
    newRows: `cache.${layer}.new_rows`,
    pastKeys: `cache.${layer}.past_keys`,
    pastValues: `cache.${layer}.past_values`,
    newKeys: `cache.${layer}.new_keys`,
    newValues: `cache.${layer}.new_values`
  }
}

/** Name of the mask [length, capacity + length] for layers that attend to `window` keys, all if absent. */
export function maskName(window?: number): string {
  return window === undefined ? 'mask' : `mask.${window}`
}

/** A decoding graph and the windows for which it needs masks. */
export interface DecodingGraph {
  readonly graph: Graph
  readonly windows: readonly (number | undefined)[]
}

/**
 * Graph of the next token's logits for tokens that follow cached ones. Inputs: `inputIds` (int32 [1, length]),
 * `positions` (int32 [length]), a mask for each kind of window, `last` (int32 [rows], the rows whose logits are
 * returned), the parameters, and each layer's cached keys and values [1, keyHeads, capacity, headSize] unless
 * `capacity` is 0. Outputs: `logits` [rows, vocabularySize] and each layer's new keys and values [1, keyHeads, length,
 * headSize]. A placed graph is fed `placement` too, and its masks are [length, capacity]. Layers with a convolution
 * have rows in place of keys and values: of the last tokens [1, tokens, hiddenSize] where `capacity` is not 0, and of
 * all new ones.
 */
export function decodingGraph(
  config: ModelConfig,
  { length, capacity, rows = 1, placed = false, isLong = false }: DecodingShape
): DecodingGraph {
  const builder = new GraphBuilder()
  const parameters = new Map(
    [...parameterShapes(config)].map(([name, shape]) => [name, builder.input(name, shape)])
  )
  const parameter = (name: string): GraphNode => parameters.get(name)!
  const masks = new Map<number | undefined, GraphNode>()
  const maskOf = (window?: number): GraphNode => {
    const keys = placed ? capacity : capacity + length
    const mask = masks.get(window) ?? builder.input(maskName(window), [length, keys])
    masks.set(window, mask)
    return mask
  }
  const placement = placed ? builder.input(PLACEMENT, [1, 1, capacity, length]) : undefined
  const outputs: Record<string, GraphNode> = {}
  const attend = (
    layer: number,
    q: GraphNode,
    k: GraphNode,
    v: GraphNode,
    settings: AttentionSettings = {}
  ): GraphNode => {
    const { window } = settings
    const names = cacheNames(layer)
    const [, keyHeads, , headSize] = k.shape as [number, number, number, number]
    const shape = [1, keyHeads, capacity, headSize]
    const past: PastNodes | undefined =
      capacity > 0
        ? { keys: builder.input(names.pastKeys, shape), values: builder.input(names.pastValues, shape) }
        : undefined
    outputs[names.newKeys] = k
    outputs[names.newValues] = v
    if (placement !== undefined && past !== undefined)
      return placedAttention(q, k, v, { ...past, placement }, maskOf(window), settings)
    return cachedAttention(q, k, v, past, maskOf(window), settings)
  }
  const before = (layer: number, x: GraphNode, count: number): GraphNode | undefined => {
    const { newRows, pastRows } = cacheNames(layer)
    outputs[newRows] = x
    return capacity > 0 ? builder.input(pastRows, [1, count, x.shape[2]!]) : undefined
  }
  const positions = {
    node: builder.input('positions', [length], 'int32'),
    limit: capacity + length,
    textLength: isLong ? config.maxPositions : 1
  }
  const inputIds = builder.input('inputIds', [1, length], 'int32')
  const hidden = hiddenStates(config, inputIds, {
    parameter,
    lora: new Map(),
    sequence: { positions, attend, before }
  })
  const last = gatherRows(hidden, builder.input('last', [rows], 'int32'))
  const logits = matMul(last, parameter(headParameter(config)), { transposeB: true })
  outputs.logits = softCapped(logits, config.logitSoftCap).capped
  return { graph: builder.build(outputs), windows: [...masks.keys()] }
}
