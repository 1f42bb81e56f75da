import { float16ToFloat32, float32ToFloat16 } from '../../formats/elements/half-floats.ts'
import type { Tensor, TensorMap } from '../../formats/tensor.ts'
import type { FeedValue } from '../executor/index.ts'
import { familyOf, linearModules, type ModelConfig, parameterShapes } from '../families/index.ts'
import {
  after,
  cast,
  dequantise,
  type GraphBuilder,
  type GraphNode,
  matMul,
  type QuantisedBits,
  withGradient
} from '../graph/index.ts'
import type { BaseFormat } from './base-format.ts'
import { checkShape, checkWeights } from './check-weights.ts'
import { openParameters } from './parameter-files.ts'
import { blockSize, createQuantiser } from './quantise.ts'
import { type FileTensor, openWeightFile } from './weight-file.ts'

/** Base weights in the format in which a graph is fed with them. */
export interface HeldWeights {
  readonly format: BaseFormat
  /** By graph input. */
  readonly feeds: ReadonlyMap<string, FeedValue>
}

type Held =
  | { readonly as: 'f32' }
  | { readonly as: 'f16' }
  | { readonly as: QuantisedBits; readonly block: number }

/** Gives a forward pass access to weights in their format. */
export interface WeightNodes {
  /** The parameter's input: float32, or float16 for a table that is held so. */
  parameter(name: string): GraphNode
  /** x Wᵀ for a linear weight that is not held in float32; undefined for one that is. */
  product(x: GraphNode, name: string): GraphNode | undefined
}

/** Converts weights to `format`. */
export function holdWeights(config: ModelConfig, weights: TensorMap, format: BaseFormat): HeldWeights {
  const feeds = new Map<string, FeedValue>()
  for (const [name, held] of heldForms(config, format)) {
    const tensor = weights.get(name)
    if (!tensor) throw new Error(`the weights have no ${name}`)
    hold(feeds, name, held, inMemory(tensor))
  }
  return { format, feeds }
}

/**
 * The feeds of a graph built for `format`.
 *
 * @throws {UnsupportedModelError} when the weights are not the model's
 * @throws {Error} when they have another format
 */
export function baseFeeds(
  config: ModelConfig,
  weights: TensorMap | HeldWeights,
  format: BaseFormat
): ReadonlyMap<string, FeedValue> {
  if ('feeds' in weights) {
    if (weights.format === format) return weights.feeds
    throw new Error(`the base weights are ${weights.format}, but the graph was built for ${format}`)
  }
  checkWeights(config, weights, 'the base weights')
  return holdWeights(config, weights, format).feeds
}

/**
 * Reads a folder's weights directly into `format`: the whole model is never in memory in float32.
 *
 * @throws {UnsupportedModelError} when a tensor is missing or of another shape
 */
export function loadHeldWeights(folder: string, config: ModelConfig, format: BaseFormat): HeldWeights {
  const feeds = new Map<string, FeedValue>()
  const forms = heldForms(config, format)
  const { tensors, close } = openParameters(folder, config)
  try {
    for (const [name, tensor] of tensors) hold(feeds, name, forms.get(name)!, tensor)
  } finally {
    close()
  }
  return { format, feeds }
}

/**
 * Replaces weights with those of a file of merged modules (`model.safetensors` of a round). Float32 arrays are
 * overwritten, the others recreated one by one, so only a few more MiB are needed.
 *
 * @returns `held` with the file's weights
 * @throws {UnsupportedModelError} when the file has a tensor that is none of the model's, or one of another shape; part of
 *   the weights may be replaced then
 */
export function replaceHeldWeights(held: HeldWeights, config: ModelConfig, path: string): HeldWeights {
  const { format } = held
  const feeds = new Map(held.feeds)
  const shapes = parameterShapes(config)
  const forms = heldForms(config, format)
  const { tensors, close } = openWeightFile(path)
  try {
    for (const [name, tensor] of tensors) {
      checkShape(path, name, tensor.shape, shapes.get(name))
      const form = forms.get(name)!
      if (form.as === 'f32') tensor.readInto(feeds.get(name) as Float32Array)
      else hold(feeds, name, form, tensor)
    }
  } finally {
    close()
  }
  return { format, feeds }
}

/** Declares the graph inputs of weights that are held as `format`. */
export function declareWeights(builder: GraphBuilder, config: ModelConfig, format: BaseFormat): WeightNodes {
  const forms = heldForms(config, format)
  const inputs = new Map<string, GraphNode>()
  for (const [name, shape] of parameterShapes(config)) {
    const held = forms.get(name)!
    if (held.as === 'f32' || held.as === 'f16')
      inputs.set(name, builder.input(name, shape, held.as === 'f16' ? 'float16' : 'float32'))
    else {
      const [rows, columns] = shape as [number, number]
      inputs.set(name, builder.input(name, [rows, (columns * held.as) / 8], 'uint8'))
      inputs.set(scalesName(name), builder.input(scalesName(name), [rows, columns / held.block]))
    }
  }
  const widened = (name: string, trigger: GraphNode): GraphNode => {
    const held = forms.get(name)!
    const input = inputs.get(name)!
    if (held.as === 'f32' || held.as === 'f16') return cast(after(input, [trigger]), 'float32')
    return dequantise(input, after(inputs.get(scalesName(name))!, [trigger]), held.as)
  }
  return {
    parameter: (name) => inputs.get(name)!,
    product: (x, name) => {
      if (forms.get(name)!.as === 'f32') return undefined
      // Widened when needed and again for the gradient: in between, only the compact format is in memory.
      const y = matMul(x, widened(name, x), { transposeB: true })
      return withGradient(y, [x], (dy) => [matMul(dy, widened(name, dy))])
    }
  }
}

/** Total bytes of the weights. */
export function heldBytes({ feeds }: HeldWeights): number {
  return [...feeds.values()].reduce((sum, { byteLength }) => sum + byteLength, 0)
}

function scalesName(name: string): string {
  return `${name}.scales`
}

function heldForms(config: ModelConfig, format: BaseFormat): Map<string, Held> {
  const family = familyOf(config)
  const linear = new Set([...linearModules(config).keys()].map((module) => `${module}.weight`))
  const tables = new Set([family.embedding(config), family.headParameter(config)])
  const forms = new Map<string, Held>()
  for (const [name, shape] of parameterShapes(config)) {
    const block = blockSize(shape.at(-1)!)
    const plain = format === 'f32' || !(linear.has(name) || tables.has(name))
    if (plain) forms.set(name, { as: 'f32' })
    else if (format === 'f16' || tables.has(name) || block === undefined) forms.set(name, { as: 'f16' })
    else forms.set(name, { as: format === 'int8' ? 8 : 4, block })
  }
  return forms
}

/** The parts of a tensor, in memory or in a file, needed to convert it. */
type Source = Pick<FileTensor, 'shape' | 'read' | 'readPieces'>

function inMemory({ shape, data }: Tensor): Source {
  return { shape, read: () => data, readPieces: (use) => use(data, 0) }
}

function hold(feeds: Map<string, FeedValue>, name: string, held: Held, source: Source): void {
  if (held.as === 'f32') {
    feeds.set(name, source.read())
    return
  }
  const elements = source.shape.reduce((product, extent) => product * extent, 1)
  if (held.as === 'f16') {
    const bits = new Uint16Array(elements)
    source.readPieces((piece, start) => {
      for (let index = 0; index < piece.length; index++) bits[start + index] = float32ToFloat16(piece[index]!)
    })
    if (!bits.every((value) => Number.isFinite(float16ToFloat32(value))))
      throw new Error(
        `${name} has elements outside the range of float16: use f32 or int8 for the base weights`
      )
    feeds.set(name, bits)
    return
  }
  const quantiser = createQuantiser(elements, held.as, held.block)
  source.readPieces((piece, start) => quantiser.put(piece, start))
  feeds.set(name, quantiser.packed)
  feeds.set(scalesName(name), quantiser.scales)
}
