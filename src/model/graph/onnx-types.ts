/** Element types by their number in onnx.proto (TensorProto.DataType). */
export const ONNX_TYPES = { float32: 1, uint8: 2, int32: 6, int64: 7, bool: 9, float16: 10 } as const
