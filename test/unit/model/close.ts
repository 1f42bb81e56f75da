import assert from 'node:assert/strict'

/** Asserts that two arrays agree within `tolerance` of the expected array's largest magnitude (at least `floor`). */
export function assertClose(
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  tolerance: number,
  what: string,
  floor = 1e-6
): void {
  assert.equal(actual.length, expected.length, `${what}: length`)
  const scale = Math.max(floor, ...Array.from(expected, Math.abs))
  for (let index = 0; index < expected.length; index++) {
    const difference = Math.abs(actual[index]! - expected[index]!)
    // Written so that a NaN fails.
    assert.ok(
      difference <= tolerance * scale,
      `${what}[${index}]: ${actual[index]} instead of ${expected[index]} (scale ${scale})`
    )
  }
}
