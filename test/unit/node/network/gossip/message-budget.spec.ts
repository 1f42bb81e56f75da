import assert from 'node:assert/strict'
import {
  authorBudget,
  ExcessLog,
  edgeBudgets
} from '../../../../../src/node/network/gossip/message-budget.ts'
import { TokenBuckets } from '../../../../../src/node/network/limits/token-bucket.ts'
import { memoryLog } from '../../memory-log.ts'

/** How many of `count` messages per second pass, over a number of seconds. */
function passed(budgets: TokenBuckets, perSecond: number, seconds: number): number {
  let taken = 0
  for (let index = 0; index < perSecond * seconds; index++)
    if (budgets.take('author', (1_000 * index) / perSecond)) taken++
  return taken
}

describe('the message budget of an author', () => {
  it('covers an honest member’s messages per round, in a consortium of any size', () => {
    for (const trainers of [1, 4, 40, 256]) {
      // An endorsement for every trainer, and ten more; a restarted member says it all again.
      const words = 2 * (trainers + 10)
      assert(authorBudget(trainers).burst > words, `${trainers}`)
    }
    const budgets = new TokenBuckets(() => authorBudget(4))
    assert.equal(passed(budgets, 14, 600), 14 * 600, 'a round per second for ten minutes')
  })

  it('bounds a flood, and grows with the consortium', () => {
    let trainers = 4
    const budgets = new TokenBuckets(() => authorBudget(trainers))
    const { burst, perSecond } = authorBudget(4)
    const taken = passed(budgets, 2_000, 10)
    assert(Math.abs(taken - (burst + 10 * perSecond)) <= 2, `${taken}`)
    trainers = 256
    assert.equal(passed(new TokenBuckets(() => authorBudget(trainers)), 2_000, 0.5), 1_000)
    assert(budgets.take('another', 10_000))
  })

  it('lets a neighbour forward everything that it may accept itself', () => {
    const own = new TokenBuckets(() => authorBudget(4))
    const edge = edgeBudgets(() => 4)
    for (let at = 0; at < 60_000; at++)
      // It may deliver up to five seconds late, and everything at once.
      if (own.take('author', at)) assert(edge.take('neighbour author', 5_000 * Math.ceil(at / 5_000)))
  })

  it('is logged once a minute for each author', () => {
    const log = memoryLog()
    const excess = new ExcessLog(log)
    for (let at = 0; at < 120_001; at += 1_000) excess.note('A', 'B', at)
    excess.note('C', 'B', 0)
    assert.equal(log.messages.length, 4)
    assert.match(log.messages[1]!, /"droppedBefore":59/)
  })
})
