/**
 * Graphs as ONNX models.
 *
 * @example
 * ```ts
 * writeFileSync('step.onnx', serialiseOnnx(graph).bytes)
 * ```
 */
export { type OnnxModel, onnxInputName, serialiseOnnx } from './serialise.ts'
