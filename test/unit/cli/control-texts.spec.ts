import assert from 'node:assert/strict'
import { lineText } from '../../../src/cli/commands/logs.ts'
import { peersText } from '../../../src/cli/commands/peers.ts'
import { matrixText, roundsText } from '../../../src/cli/commands/rounds.ts'
import { statusText } from '../../../src/cli/commands/status.ts'
import { shortPeerId, sizeText, timeText } from '../../../src/cli/terminal/table.ts'
import type { PeerView, RoundView, StatusView } from '../../../src/node/control/index.ts'

const PEER = '12D3KooWLhwPWTaxdVBmAHEqNDYv8GPMPvaCBQG8RRmAmnR2nKX5'
const DIGEST = 'ab'.repeat(32)

const status: StatusView = {
  version: '0.1.0',
  node: 'v22.1.0',
  pid: 4_194_304,
  home: '/h',
  peerId: PEER,
  addresses: ['/ip4/192.0.2.7/tcp/4001', '/ip4/10.0.0.1/tcp/4001'],
  consortium: { id: `bafyrei${'x'.repeat(52)}`, name: 'c' },
  member: 255,
  members: 256,
  quorum: 171,
  connectedMembers: 3,
  uptimeSeconds: 400_000,
  ready: false,
  reasons: [
    '4 of 256 members connected, itself included; the quorum is 171',
    'it is catching up: round 3 of 9'
  ],
  round: 3,
  phase: 'training',
  view: -1,
  step: 7,
  steps: 40,
  loss: 3.2,
  shardsHeld: 1,
  shardsKnown: 9_000,
  lastSealed: { round: 2, cut: [], stackDigest: null, modelDigest: DIGEST },
  halted: null,
  copies: [],
  memoryBytes: 123_456_789
}

describe('the output of loam status, peers, rounds and logs', () => {
  it('shows the status and every reason why a peer is not ready', () => {
    const text = statusText(status)
    assert.match(text, /ready +no: 4 of 256 members connected/)
    assert.match(text, /\n +it is catching up: round 3 of 9/)
    assert.match(text, /round +3, training, step 7\/40, loss 3\.200\n/)
    assert.match(text, /last sealed +round 2, void, model abababab/)
    assert.match(text, /up +4 d 15 h, 123\.5 MB of memory/)
    const ready = statusText({
      ...status,
      ready: true,
      reasons: [],
      phase: 'deciding',
      view: 1,
      lastSealed: null
    })
    assert.match(ready, /ready +yes\n/)
    assert.match(ready, /round +3, deciding, view 1\n/)
    assert.match(ready, /last sealed +none/)
  })

  it('fits into 80 columns, even with the numbers of a large, old network', () => {
    const peer: PeerView = {
      peerId: PEER,
      member: 255,
      self: false,
      connected: true,
      direction: 'outbound',
      address: `/ip4/192.168.100.200/tcp/65535/p2p/${PEER}`,
      way: 'direct',
      roundTripMs: 30_000,
      handshakeSeconds: 5_900,
      software: 'loam/0.1.0',
      score: -1_234_567,
      round: 1_000_000,
      trainer: true,
      voter: true,
      lastCut: { peerId: PEER, rank: 256, samples: 1_000_000, weight: 1 }
    }
    const round: RoundView = {
      round: 1_000_000,
      cut: [],
      stackDigest: DIGEST,
      modelDigest: DIGEST,
      ms: { train: 7_200_000, gather: 300_000, decide: 10_000, stack: 60_000, seal: 10_000 },
      bytesReceived: 123_456_789_000,
      sealedAt: '2026-01-01T12:30:00.000Z',
      weight: 1,
      heldOut: { base: 12.3456, sealed: 10.1234, start: 11, own: 12 }
    }
    const unknown: RoundView = { ...round, stackDigest: null, ms: null, bytesReceived: null }
    const relay: PeerView = {
      ...peer,
      member: null,
      connected: false,
      way: null,
      roundTripMs: null,
      handshakeSeconds: null,
      score: null,
      address: null,
      round: null,
      lastCut: null
    }
    const texts = [peersText([peer, relay]), roundsText([round, unknown]), statusText(status)]
    for (const line of texts.join('\n').split('\n')) assert(line.length <= 80, `${line.length}: ${line}`)
    assert.match(peersText([relay]), /- {2}…AmnR2nKX5|- {2}…\S{10} {2}away/)
    const away = { ...peer, way: 'relay', roundTripMs: 12, handshakeSeconds: 40, score: 1.25 } as const
    assert.match(peersText([away]), / relay +12 +40 s +1\.3 +1000000 /)
    assert(!peersText([away]).includes('192.168') && peersText([away], true).includes('/ip4/192.168.100.200'))
    assert.match(roundsText([unknown]), /void +100 % +10\.1234 +/)
    const late = { ...unknown, sealedAt: null, weight: null, heldOut: { ...round.heldOut, sealed: null } }
    assert.match(roundsText([late]), /1000000 {2}- +void +- +- /)
  })

  it('shows the change in held-out loss by update, the largest decrease first', () => {
    const update = (peerId: string, after: number, isRefused = false) => ({
      peerId,
      before: 4,
      after,
      isRefused
    })
    const evaluation = {
      version: 1 as const,
      round: 7,
      text: '0123456789abcdef',
      tokens: 1_000,
      base: 4.5,
      start: 4,
      own: 3.75,
      updates: [update(PEER, 4.25, true), update(`${PEER.slice(0, -3)}abc`, 3.5)]
    }
    const text = matrixText(evaluation)
    for (const line of text.split('\n')) assert(line.length <= 80, line)
    assert.match(text, /round 7: loss on 1000 held-out tokens/)
    assert.match(text, /base model +4\.5000\n/)
    assert.match(
      text,
      /…\S{7}abc +3\.5000 +-0\.5000\n.*own update +3\.7500 +-0\.2500\n.*4\.2500 +\+0\.2500 {2}refused/s
    )
    assert.match(matrixText({ ...evaluation, own: null, updates: [] }), /no update was measured/)
  })

  it('strips terminal control sequences from log lines', () => {
    const line = {
      time: Date.UTC(2026, 0, 1, 12, 30),
      level: 40,
      topic: 'network',
      msg: 'a \u001b[31mmessage\n',
      from: 'x\u202ey',
      n: 1
    }
    const text = lineText(line)
    assert.match(text, /^12:30:00\.000 warn {2}network {2}a /)
    assert.match(text, / n=1$/)
    assert(!/[\p{Cc}\p{Cf}]/u.test(text), text)
  })

  it('formats times and sizes for people', () => {
    assert.deepEqual([3.2, 61, 3_700, 200_000].map(timeText), ['3 s', '1 min 1 s', '1 h 1 min', '2 d 7 h'])
    assert.deepEqual([0, 999, 1_000, 1.5e9].map(sizeText), ['0 B', '999 B', '1.0 kB', '1.5 GB'])
    assert.equal(shortPeerId(PEER), '…mAmnR2nKX5')
  })
})
