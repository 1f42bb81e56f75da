import assert from 'node:assert/strict'
import { mayCarryBlocks } from '../../../../../src/node/network/transfer/allowance.ts'

describe('limited relay connections', () => {
  it('carry blocks only if they would not be cut off', () => {
    assert(mayCarryBlocks([{}]))
    assert(mayCarryBlocks([{ limits: { seconds: 120 } }]))
    assert(mayCarryBlocks([{ limits: { bytes: 1n << 30n } }]))
    assert(!mayCarryBlocks([{ limits: { bytes: 128n * 1024n } }]))
    assert(mayCarryBlocks([{ limits: { bytes: 128n * 1024n } }, {}]))
    assert(!mayCarryBlocks([]))
  })
})
