import assert from 'node:assert/strict'
import { ScriptedConsortium } from '../../../../sim/consortium/scripted-consortium.ts'
import {
  allSlots,
  countOf,
  firstOf,
  keptOf,
  messagesOf,
  NO_MESSAGES,
  slotOf,
  slotsOf,
  withKept
} from '../../../../src/protocol/state/slots.ts'

const table = new ScriptedConsortium(4)
const vote = (author: number, view: number) => table.said(author, 'prevote', view, { cut: null })

describe('the kept messages of a round', () => {
  const manifest = table.manifest(1)
  const other = table.manifest(1, { samples: 7 })
  let messages = withKept(NO_MESSAGES, 'prevote', 12, 2, [vote(2, 12)])
  messages = withKept(messages, 'manifest', 0, 1, [manifest, other])
  messages = withKept(messages, 'prevote', 1, 3, [vote(3, 1)])
  messages = withKept(messages, 'prevote', 12, 0, [vote(0, 12)])
  const state = { messages }

  it('are found by kind, slot and author', () => {
    assert.deepEqual(keptOf(state, 'manifest', 0, 1), [manifest, other])
    assert.equal(firstOf(state, 'manifest', 0, 1), manifest)
    assert.deepEqual(
      messagesOf(state, 'prevote', 12).map(({ author }) => author),
      [2, 0]
    )
    assert.equal(countOf(state, 'prevote', 12), 2)
    assert.deepEqual([countOf(state, 'precommit', 12), keptOf(state, 'prevote', 12, 3)], [0, []])
    assert.equal(slotOf(state, 'prevote', 2), undefined)
  })

  it('are in the order in which slots were first heard of', () => {
    assert.deepEqual(
      allSlots(state).map(({ kind, slot }) => [kind, slot]),
      [
        ['prevote', 12],
        ['manifest', 0],
        ['prevote', 1]
      ]
    )
    assert.deepEqual(
      slotsOf(state, 'prevote').map(({ slot }) => slot),
      [12, 1]
    )
  })

  it('lose a slot with its last author, and are never mutated', () => {
    const without = withKept(messages, 'prevote', 1, 3, [])
    assert.equal(slotOf({ messages: without }, 'prevote', 1), undefined)
    assert.equal(countOf(state, 'prevote', 1), 1)
    assert.equal(countOf({ messages: withKept(messages, 'prevote', 12, 2, []) }, 'prevote', 12), 1)
  })
})
