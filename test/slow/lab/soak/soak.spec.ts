import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { runSoak } from '../../../../lab/soak/run-soak.ts'
import { judgeTenths } from '../../../../lab/soak/verdict.ts'

describe('a short npm run lab -- soak', function () {
  this.timeout(240_000)

  it('measures real peers over ten parts; files, timers and handles stay flat', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'loam-soak-test-'))
    const { signal } = new AbortController()
    const tenths = await runSoak({ peers: 2, rounds: 10, samples: 1, folder, onProgress: () => {}, signal })
    assert.deepEqual(
      tenths.map((kept) => kept.length),
      [10, 10]
    )
    for (const one of tenths.flat()) {
      assert(one.memory > 50e6 && one.heap > 1e6 && one.heap < one.memory)
      assert(one.openFiles > 5 && one.timers > 0 && one.handles > 0 && one.boundedDisk > 1e4)
    }
    assert(tenths[0]!.at(-1)!.sealedRounds >= tenths[0]![0]!.sealedRounds + 9, 'a seal a round')
    // Memory warms up for longer than this, and nothing is old enough to be pruned.
    const flat = judgeTenths(tenths).filter(({ what }) => ['openFiles', 'timers', 'handles'].includes(what))
    assert.deepEqual(
      flat.filter(({ ok }) => !ok),
      []
    )
    await rm(folder, { recursive: true, force: true })
  })
})
