import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'

describe('the growth of the heap', () => {
  it('is something that this V8 can be told', () => {
    // An unknown flag is passed over in silence, and the peer would be slow again with a later Node.
    const options = execFileSync(process.execPath, ['--v8-options'], { encoding: 'utf8' })
    assert.match(options, /--heap-growing-percent /)
  })
})
