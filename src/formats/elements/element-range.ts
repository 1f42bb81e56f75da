import type { ElementFormat } from './element-formats.ts'

/** From here on an element rounds to infinity. */
const OVERFLOW: Readonly<Record<ElementFormat, number>> = {
  F32: Number.POSITIVE_INFINITY,
  F16: 65_520,
  BF16: (2 - 2 ** -8) * 2 ** 127
}
const NAMES: Readonly<Record<ElementFormat, string>> = { F32: 'float32', F16: 'float16', BF16: 'bfloat16' }

/** Why `data` cannot be written in a format: the first element that is not finite, or beyond its range. */
export function rangeFault(data: Float32Array, format: ElementFormat): string | undefined {
  const limit = OVERFLOW[format]
  const wrong = data.find((element) => !(Math.abs(element) < limit))
  if (wrong === undefined) return undefined
  return Number.isFinite(wrong)
    ? `holds ${wrong}, which is beyond the range of ${NAMES[format]}`
    : `holds ${wrong}`
}
