import assert from 'node:assert/strict'
import type { SeedResult } from '../../sim/runs/run-seed.ts'
import { sweepMarkdown } from '../../sim/sweep/report.ts'

function result(seed: number, members: number, more: Partial<SeedResult> = {}): SeedResult {
  const counts = { rounds: 5, voidRounds: 1, highestView: seed, strain: 0.5, cpuMs: 1_000 }
  return { seed, members, faulty: 1, ...counts, ...more }
}

describe('the report of a sweep', () => {
  const results = [
    result(1, 4),
    result(2, 4, {
      faulty: 0,
      failure: { invariant: 'agreement', text: 'two cuts' } as SeedResult['failure'] & {}
    }),
    result(3, 10, {
      faulty: 3,
      failure: { invariant: 'stall', text: 'no end' } as SeedResult['failure'] & {}
    })
  ]

  it('counts seeds, rounds, violations and stalls', () => {
    assert.match(
      sweepMarkdown(results),
      /\*\*3 seeds, 15 rounds, 1 violations, 1 stalls\*\*, 1\.00 CPU s a seed\./
    )
  })

  it('has a row for each number of members', () => {
    const text = sweepMarkdown(results)
    assert.match(text, /\| 4 \| 2 \| 1 \| 10 \| 2 \| 2 \| 2\.0 \|/)
    assert.match(text, /\| 10 \| 1 \| 1 \| 5 \| 1 \| 3 \| 1\.0 \|/)
    assert.match(text, /- f faulty, of those with four or more: 66\.7 %/)
  })
})
