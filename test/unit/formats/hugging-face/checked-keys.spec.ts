import assert from 'node:assert/strict'
import { findUnreadKeys } from '../../../../src/formats/index.ts'

const TABLE = {
  file: 'settings.json',
  used: ['size'],
  harmless: [{ reason: 'a note', keys: ['author'] }],
  refused: {
    warp: { unless: [1, [2, 3]], cure: 'bends space: set it to 1' },
    causal: { unless: [true], cure: 'is needed' }
  }
}

describe('configuration keys of other programs', () => {
  it('are used, known to be harmless, or reported', () => {
    assert.deepEqual(findUnreadKeys({ size: 3, author: 'x', warp: 1 }, TABLE), [])
    assert.deepEqual(findUnreadKeys({ warp: [2, 3], causal: true }, TABLE), [])
    assert.deepEqual(findUnreadKeys({ size: 3, warp: 4 }, TABLE), [
      'settings.json, warp: 4 bends space: set it to 1'
    ])
    const [first, second] = findUnreadKeys({ gravity: 9.81, spin: 'left' }, TABLE)
    assert.match(first!, /^settings\.json, gravity: 9\.81 is a key that Loam does not know/)
    assert.match(second!, /^settings\.json, spin: "left"/)
  })

  it('may mark their feature as absent', () => {
    for (const value of [null, false, '', [], {}])
      assert.deepEqual(findUnreadKeys({ gravity: value, warp: null }, TABLE), [])
    // A key that is refused unless it is true cannot be false.
    assert.deepEqual(findUnreadKeys({ causal: false }, TABLE), ['settings.json, causal: false is needed'])
    assert.equal(findUnreadKeys({ gravity: 0 }, TABLE).length, 1)
  })

  it('on the object prototype are not known keys', () => {
    assert.match(findUnreadKeys({ constructor: 1 }, TABLE)[0]!, /does not know/)
  })
})
