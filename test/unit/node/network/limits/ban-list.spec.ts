import assert from 'node:assert/strict'
import { BanList } from '../../../../../src/node/network/limits/ban-list.ts'

const TIMES = { firstMs: 1_000, longestMs: 5_000, forgottenMs: 60_000 }

/** Offends until a ban comes. @returns how many offences it took, and the ban */
function offendUntilBanned(bans: BanList, peer: string, now: number) {
  for (let offences = 1; ; offences++) {
    const ban = bans.note(peer, 'malformed', now)
    if (ban !== undefined) return { offences, ban }
  }
}

describe('the ban list', () => {
  it('bans a peer for repeated offences, logs it once, and admits it again after the ban', () => {
    const bans = new BanList(TIMES)
    const { offences, ban } = offendUntilBanned(bans, 'a', 0)
    assert.equal(offences, 5)
    assert.deepEqual(ban, { peer: 'a', leftMs: 1_000, times: 1 })
    assert.equal(bans.note('a', 'flood', 500), undefined)
    assert.deepEqual(bans.bans(999), [{ peer: 'a', leftMs: 1, times: 1 }])
    assert(bans.isBanned('a', 999))
    assert(!bans.isBanned('b', 999))
    assert(!bans.isBanned('a', 1_000))
    assert.deepEqual(bans.bans(1_000), [])
  })

  it('doubles the ban up to a bound, and resets it after a while: no ban is permanent', () => {
    const bans = new BanList(TIMES)
    const lengths: number[] = []
    let now = 0
    for (let turn = 0; turn < 6; turn++) {
      const { ban } = offendUntilBanned(bans, 'a', now)
      lengths.push(ban.leftMs)
      now += ban.leftMs
      assert(!bans.isBanned('a', now))
    }
    assert.deepEqual(lengths, [1_000, 2_000, 4_000, 5_000, 5_000, 5_000])
    assert.equal(offendUntilBanned(bans, 'a', now + TIMES.forgottenMs + 1).ban.times, 1)
  })

  it('tolerates an occasional offence', () => {
    const bans = new BanList(TIMES)
    for (let turn = 0; turn < 1_000; turn++)
      assert.equal(bans.note('a', 'malformed', turn * 60_000), undefined)
    for (let turn = 0; turn < 1_000; turn++) assert.equal(bans.note('b', 'excess', turn * 3_000), undefined)
  })

  it('remembers a bounded number of peers', () => {
    const bans = new BanList(TIMES)
    for (let peer = 0; peer < 10_000; peer++) bans.note(`peer ${peer}`, 'excess', 0)
    assert.equal(bans.size, 4096)
  })
})
