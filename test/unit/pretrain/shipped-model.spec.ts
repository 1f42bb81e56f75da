import assert from 'node:assert/strict'
import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { tokenizeDocuments } from '../../../pretrain/corpus/corpus.ts'
import { loadStateOfTheUnion } from '../../../pretrain/corpus/packages/index.ts'
import { createDocumentScorer, kneserNeyBigram, meanNats } from '../../../pretrain/index.ts'
import { loadDomain } from '../../../src/data/index.ts'
import { loadBaseModel } from '../../../src/model/index.ts'
import { packageRoot } from '../../../src/package-root.ts'

const FOLDER = join(packageRoot(), 'models', 'loam-base-1m')

describe('models/loam-base-1m', () => {
  it('stays within 6 MB and about a million parameters', () => {
    const bytes = readdirSync(FOLDER).reduce((sum, name) => sum + statSync(join(FOLDER, name)).size, 0)
    assert.ok(bytes <= 6e6, `${bytes} bytes`)
    const { weights, tokenizer, config } = loadBaseModel(FOLDER)
    const parameters = [...weights.values()].reduce((sum, { data }) => sum + data.length, 0)
    assert.ok(parameters > 0.9e6 && parameters < 1.3e6, `${parameters}`)
    assert.equal(tokenizer.vocabularySize, config.vocabularySize)
    assert.equal(tokenizer.bosId, 0)
  })

  it('predicts an unseen domain far better than a bigram model of text of the same kind', async () => {
    const { weights, tokenizer, config } = loadBaseModel(FOLDER)
    const known = tokenizeDocuments(
      loadStateOfTheUnion((year) => year >= 1870 && year <= 1876),
      tokenizer
    )
    const unseen = tokenizeDocuments((await loadDomain('gilded-age')).documents.slice(0, 6), tokenizer)
    const scorer = await createDocumentScorer(config, 1)
    const { nats, tokens } = await scorer.score(weights, unseen)
    await scorer.dispose()
    const bigram = meanNats(kneserNeyBigram(known, config.vocabularySize), unseen)
    assert.equal(tokens, bigram.tokens)
    assert.ok(nats < bigram.nats - 0.4, `model ${nats}, bigram ${bigram.nats}`)
  })
})
