/**
 * A small tensor graph with static shapes and reverse-mode gradients written as further nodes.
 *
 * @example
 * ```ts
 * const builder = new GraphBuilder()
 * const x = builder.input('x', [4, 8])
 * const w = builder.input('w', [3, 8])
 * const loss = sumAll(multiply(matMul(x, w, { transposeB: true }), builder.scalar(0.5)))
 * const [dw] = gradients(loss, [w])
 * const graph = builder.build({ loss, dw: dw! })
 * ```
 */
export * from './attributes.ts'
export * from './gradients.ts'
export * from './graph.ts'
export * from './graph-builder.ts'
export * from './onnx-types.ts'
export * from './operator.ts'
export * from './operators/composite.ts'
export * from './operators/dequantise.ts'
export * from './operators/elementwise.ts'
export * from './operators/gather.ts'
export { operators } from './operators/index.ts'
export * from './operators/layout.ts'
export * from './operators/matrix-product.ts'
export * from './operators/normalisation.ts'
export * from './operators/ordering.ts'
export * from './operators/reduction.ts'
export * from './recompute.ts'
export * from './shape.ts'
