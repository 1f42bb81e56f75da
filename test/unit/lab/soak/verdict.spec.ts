import assert from 'node:assert/strict'
import { holdingsOf, parseSamples } from '../../../../lab/soak/read-metrics.ts'
import { judgeTenths, meanOf, type TenthHoldings } from '../../../../lab/soak/verdict.ts'

const EVEN: TenthHoldings = {
  memory: 100e6,
  heap: 50e6,
  trainerMemory: 200e6,
  openFiles: 30,
  timers: 10,
  handles: 10,
  boundedDisk: 1e6,
  seals: 1e3,
  sealedRounds: 10,
  roundsKept: 40
}

/** Ten tenths of a peer with constant usage, except for additions in the last. */
const tenths = (last: Partial<TenthHoldings> = {}, first: Partial<TenthHoldings> = {}) => [
  { ...EVEN, ...first },
  ...Array.from({ length: 8 }, () => EVEN),
  { ...EVEN, ...last }
]
const grown = (...peers: TenthHoldings[][]) =>
  judgeTenths(peers)
    .filter(({ ok }) => !ok)
    .map(({ what, peer }) => [what, peer])

describe('the verdict of a soak', () => {
  it('accepts flat series, whatever the first tenth was, and growing seals', () => {
    assert.deepEqual(grown(tenths(), tenths({}, { memory: 1, boundedDisk: 1 })), [])
    assert.deepEqual(grown(tenths({ seals: 1e9, heap: 90e6 })), [])
  })

  it('allows a tenth more, and up to four more files, timers or handles', () => {
    assert.deepEqual(
      grown(tenths({ memory: 109e6, trainerMemory: 219e6, openFiles: 36, timers: 14, handles: 14 })),
      []
    )
    const more = {
      memory: 111e6,
      trainerMemory: 221e6,
      openFiles: 38,
      timers: 16,
      handles: 16,
      boundedDisk: 1.2e6
    }
    assert.deepEqual(
      grown(tenths(more)).map(([what]) => what),
      ['memory', 'trainerMemory', 'openFiles', 'timers', 'handles', 'boundedDisk']
    )
  })

  it('divides disk usage by the rounds that pruning may leave', () => {
    assert.deepEqual(grown(tenths({ boundedDisk: 1.2e6, roundsKept: 48 })), [])
    assert.deepEqual(grown(tenths({ boundedDisk: 1e6, roundsKept: 30 })), [['boundedDisk', 0]])
  })

  it('judges each peer separately', () => {
    assert.deepEqual(grown(tenths({ memory: 50e6 }), tenths({ memory: 120e6 })), [['memory', 1]])
  })

  it('averages samples', () => {
    const { memory, timers } = meanOf([EVEN, { ...EVEN, memory: 200e6, timers: 20 }])
    assert.deepEqual([memory, timers], [150e6, 15])
  })
})

describe('the quantities that a soak measures', () => {
  const TEXT = `# HELP loam_disk_usage_bytes Size
# TYPE loam_disk_usage_bytes gauge
loam_disk_usage_bytes{part="blocks"} 70
loam_disk_usage_bytes{part="seals"} 30
process_resident_memory_bytes 1.5e+8
nodejs_heap_size_used_bytes 5
loam_trainer_resident_memory_bytes 6
process_open_fds 7
nodejs_active_resources{type="Timeout"} 8
nodejs_active_resources{type="TCPSocketWrap"} 80
nodejs_active_handles_total 9
loam_rounds_sealed_total{outcome="stacked"} 3
loam_rounds_sealed_total{outcome="void"} 1
`

  it('come from the metrics, with the seals apart', () => {
    assert.deepEqual(holdingsOf(TEXT), {
      memory: 1.5e8,
      heap: 5,
      trainerMemory: 6,
      openFiles: 7,
      timers: 8,
      handles: 9,
      boundedDisk: 70,
      seals: 30,
      sealedRounds: 4
    })
  })

  it('are never 0 because a metric is missing', () => {
    assert.throws(() => holdingsOf(TEXT.replace(/process_open_fds.*\n/, '')), /no process_open_fds/)
  })

  it('keep labels as they are written', () => {
    assert.deepEqual(parseSamples('a{b="c d",e="}"} 1\nf NaN\nnonsense\n'), [
      { name: 'a', labels: 'b="c d",e="}"', value: 1 },
      { name: 'f', labels: '', value: Number.NaN }
    ])
  })
})
