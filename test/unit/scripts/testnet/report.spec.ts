import assert from 'node:assert/strict'
import { renderTable } from '../../../../scripts/testnet/live-table.ts'
import type { PeerView } from '../../../../scripts/testnet/network-run.ts'
import { hasAgreed, renderReport, reportRounds } from '../../../../scripts/testnet/report.ts'
import { homeAt } from '../../../../src/node/home/home.ts'

const DOMAINS = ['newsletters', 'moby-dick', 'modern-presidents', 'rpm-packagers']
const ms = { train: 12_345, gather: 1_000, decide: 100, stack: 50, seal: 5 }

/** Four peers after two rounds, in the middle of the third. */
function views(): PeerView[] {
  return DOMAINS.map((domain, index) => ({
    peer: {
      index,
      peerId: `peer-${index}`,
      rank: 16,
      domain,
      home: homeAt(`/tmp/peer-${index}`),
      documents: 100
    },
    progress: {
      type: 'progress',
      round: 3,
      phase: 'gathering',
      view: -1,
      step: 40,
      steps: 40,
      loss: 3.1234,
      shardsHeld: 105,
      shardsKnown: 140,
      connected: 3
    },
    sealed: [1, 2].map((round) => ({
      type: 'sealed',
      round,
      cut: DOMAINS.map((_, author) => ({
        peerId: `peer-${author}`,
        rank: 16,
        samples: 100,
        weight: 1 / DOMAINS.length
      })),
      stackDigest: `${round}`.repeat(64),
      modelDigest: `${round + 4}`.repeat(64),
      ms,
      bytesReceived: 1000 * index
    })),
    addresses: [],
    ended: undefined
  }))
}

describe('the report of a testnet', () => {
  const rounds = reportRounds(views())

  it('lists the digests of every peer in order, and the mean times and bytes per peer of every round', () => {
    assert.deepEqual(rounds.peers[2]!.stackDigests, ['1'.repeat(64), '2'.repeat(64)])
    assert.deepEqual(rounds.peers[2]!.modelDigests, ['5'.repeat(64), '6'.repeat(64)])
    assert.deepEqual(rounds.rounds[1]!.bytesReceived, [0, 1000, 2000, 3000])
    assert.deepEqual(rounds.rounds[1]!.ms, ms)
  })

  it('agrees only if every peer sealed every round with the same digests', () => {
    assert.ok(hasAgreed(rounds, 2))
    assert.ok(!hasAgreed(rounds, 3))
    const [first, ...others] = rounds.peers
    const other = { ...first!, modelDigests: [first!.modelDigests[0]!, '0'.repeat(64)] }
    assert.ok(!hasAgreed({ ...rounds, peers: [...others, other] }, 2))
    assert.ok(!hasAgreed({ ...rounds, peers: [...others, { ...first!, stackDigests: [] }] }, 2))
  })

  it('fits into 80 columns, as does the live table, with everything they should name', () => {
    const standalone = Object.fromEntries(DOMAINS.map((_, index) => [`peer-${index}`, 4.5 + index]))
    const loss = Object.fromEntries(DOMAINS.map((domain) => [domain, { base: 4, global: 3, standalone }]))
    const text = renderReport({ ...rounds, loss, adapter: '/tmp/adapter' })
    const table = renderTable(views())
    for (const line of `${text}\n${table}`.split('\n')) assert.ok([...line.trimEnd()].length <= 80, line)
    for (const word of [...DOMAINS, 'adapter  /tmp/adapter', 'alone 3', 'mean', '12.35', '4.5000', '7.5000'])
      assert.ok(text.includes(word), word)
    for (const word of [...DOMAINS, 'gathering', '105/140', '3.123', '66666666'])
      assert.ok(table.includes(word), word)
  })
})
