import assert from 'node:assert/strict'
import { sealTimes } from '../../../../bench/consensus/seal-times.ts'

describe('the times read from a log', () => {
  it('are those of the last certificate before each seal, and of the seal', () => {
    const certified = (time: number) => ({ time, topic: 'rounds', author: 1, msg: 'a manifest is certified' })
    const sealed = (time: number, round: number) => ({ time, topic: 'rounds', round, msg: 'sealed' })
    const lines = [
      { time: 1, topic: 'peer', msg: 'the peer is running' },
      certified(10),
      certified(20),
      sealed(70, 1),
      sealed(80, 2),
      certified(90),
      sealed(95, 3),
      certified(99)
    ]
    const times = sealTimes(lines.map((line) => `${JSON.stringify(line)}\n`).join(''))
    assert.deepEqual(
      [...times],
      [
        [1, { certified: 20, sealed: 70 }],
        [3, { certified: 90, sealed: 95 }]
      ]
    )
  })
})
