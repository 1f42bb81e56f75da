import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { BusyTime } from '../../../../src/node/upkeep/heap-growth.ts'

const MiB = 2 ** 20

describe('heap growth', () => {
  it('can be set by a flag of this V8', () => {
    // An unknown flag is silently ignored, and the peer would be slow again with a later Node.
    const options = execFileSync(process.execPath, ['--v8-options'], { encoding: 'utf8' })
    assert.match(options, /--heap-growing-percent /)
  })

  it('follows the traffic: on from two MiB a second, off after ten quiet seconds', () => {
    const busy = new BusyTime()
    assert(!busy.look(100 * MiB, 0), 'traffic before the first sample is not a rate')
    assert(!busy.look(100 * MiB, 500))
    assert(!busy.look(100.9 * MiB, 1000))
    assert(busy.look(102 * MiB, 1500))
    for (let now = 2000; now < 11_500; now += 500) assert(busy.look(102 * MiB, now), String(now))
    assert(!busy.look(102 * MiB, 11_500))
    assert(busy.look(200 * MiB, 12_000))
  })
})
