import assert from 'node:assert/strict'
import { markedText, tokenPieces } from '../../../../../src/cli/commands/data/token-pieces.ts'
import { createTextTokenizer } from '../../../../../src/model/index.ts'
import { BYTE_LEVEL_CONFIG, BYTE_LEVEL_TOKENIZER } from '../../../model/tokenizers.ts'

describe('token display', () => {
  const tokenizer = createTextTokenizer(BYTE_LEVEL_TOKENIZER, BYTE_LEVEL_CONFIG)
  const example = (ids: number[], weights: number[]) => ({
    ids: Int32Array.from(ids),
    weights: Uint8Array.from(weights)
  })

  it('shows tokens as their text, and special tokens and partial characters by name', () => {
    // The two bytes of é come as two tokens.
    assert.deepEqual(tokenPieces(example([0, 10, 4, 11, 6, 7], [0, 0, 0, 1, 1, 0]), tokenizer), [
      { id: 0, text: '<|start|>', learned: false },
      { id: 10, text: 'hell', learned: false },
      { id: 4, text: 'o', learned: false },
      { id: 11, text: ' h', learned: true },
      { id: 6, text: 'Ã', learned: true },
      { id: 7, text: '©', learned: false }
    ])
    const pieces = { ...tokenizer, specialIds: new Set<number>(), tokenName: () => '▁Once' }
    assert.equal(tokenPieces(example([3], [1]), pieces)[0]!.text, ' Once')
  })

  it('marks the training targets in a text with brackets', () => {
    const marked = (weights: number[]): string =>
      markedText(tokenPieces(example([0, 10, 4, 11], weights), tokenizer))
    assert.equal(marked([0, 0, 1, 1]), '<|start|>hell⟦o h⟧')
    assert.equal(marked([0, 1, 0, 1]), '<|start|>⟦hell⟧o⟦ h⟧')
    assert.equal(marked([0, 0, 0, 0]), '<|start|>hello h')
  })
})
