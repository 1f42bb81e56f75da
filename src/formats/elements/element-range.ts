import type { ElementFormat } from './element-formats.ts'

/** Smallest magnitude that rounds to infinity. */
const OVERFLOW: Readonly<Record<ElementFormat, number>> = {
  F32: Number.POSITIVE_INFINITY,
  F16: 65_520,
  BF16: (2 - 2 ** -8) * 2 ** 127
}
const NAMES: Readonly<Record<ElementFormat, string>> = { F32: 'float32', F16: 'float16', BF16: 'bfloat16' }

/** Why `data` cannot be written in a format: the first element that is not finite or out of range. */
export function rangeFault(data: Float32Array, format: ElementFormat): string | undefined {
  const limit = OVERFLOW[format]
  const wrong = data.find((element) => !(Math.abs(element) < limit))
  if (wrong === undefined) return undefined
  return Number.isFinite(wrong)
    ? `contains ${wrong}, which is out of the range of ${NAMES[format]}`
    : `contains ${wrong}`
}
