import assert from 'node:assert/strict'
import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { createEvaluator, loadBaseModel } from '../../../src/model/index.ts'
import { packageRoot } from '../../../src/package-root.ts'

const folderOf = (name: string): string => join(packageRoot(), 'models', name)
const [SMALL, LARGE] = [folderOf('loam-base-1m'), folderOf('loam-base-8m')]
/** A passage of George Washington's first annual address, whose domain neither model was trained on. */
const TEXT =
  'Among the many interesting objects which will engage your attention that of providing for the common defense will merit particular regard. To be prepared for war is one of the most effectual means of preserving peace.'

describe('the larger model', () => {
  it('has the tokenizer of the smaller one, byte for byte', () => {
    for (const file of ['tokenizer.json', 'tokenizer_config.json'])
      assert.ok(readFileSync(join(LARGE, file)).equals(readFileSync(join(SMALL, file))), file)
  })

  it('has 8 to 12 million parameters in at most 24 MB', () => {
    const { weights } = loadBaseModel(LARGE)
    const parameters = [...weights.values()].reduce((sum, { data }) => sum + data.length, 0)
    assert.ok(parameters >= 8e6 && parameters <= 12e6, String(parameters))
    assert.ok(statSync(join(LARGE, 'model.safetensors')).size <= 24e6)
  })

  it('predicts text of a domain that neither has seen better than the smaller one', async () => {
    const nats: number[] = []
    for (const folder of [SMALL, LARGE]) {
      const { config, weights, tokenizer } = loadBaseModel(folder)
      const evaluator = await createEvaluator({ config, context: 128 })
      nats.push((await evaluator.score({ weights, ids: tokenizer.encode(TEXT) })).nats)
      await evaluator.dispose()
    }
    assert.ok(nats[1]! < nats[0]!, `${nats}`)
  })
})
