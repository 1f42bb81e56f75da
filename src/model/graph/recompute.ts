import { gradientsFrom } from './gradients.ts'
import type { GraphNode } from './graph.ts'
import { withGradient } from './operators/composite.ts'
import { after } from './operators/ordering.ts'

/**
 * `build(x)`, whose inner values are not kept for the backward pass but recomputed in it (Chen et al., "Training deep
 * nets with sublinear memory cost", 2016): of a layer, only its input stays in memory.
 *
 * @param sources other values that `build` reads and that may be trained
 * @param build composed of the builder's operators only; called twice
 */
export function recomputed(
  x: GraphNode,
  sources: readonly GraphNode[],
  build: (x: GraphNode) => GraphNode
): GraphNode {
  return withGradient(build(x), [x, ...sources], (dy, wanted) => {
    // The gradient as trigger keeps the second pass from being shared with the first, and from running early.
    const again = after(x, [dy])
    const targets = [again, ...sources]
    const found = gradientsFrom(
      build(again),
      dy,
      targets.filter((_, index) => wanted[index])
    )
    const [dx, ...others] = targets.map((_, index) => (wanted[index] ? found.shift() : undefined))
    // Everything that depends on dx waits for the other gradients, so that this layer's values are freed before the
    // next.
    const done = others.filter((gradient) => gradient !== undefined)
    return [dx && after(dx, done), ...others]
  })
}
