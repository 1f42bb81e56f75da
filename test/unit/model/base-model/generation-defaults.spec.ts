import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { chooseSampling, loadGenerationDefaults, madeMaxTokens } from '../../../../src/model/index.ts'

describe("makers' generation defaults", () => {
  let folder: string
  const load = (made: object, config: object = {}) => {
    writeFileSync(join(folder, 'generation_config.json'), `\ufeff${JSON.stringify(made)}`)
    return loadGenerationDefaults(folder, config)
  }
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'loam-generation-'))
  })
  after(() => rmSync(folder, { recursive: true }))

  it('sample only where they say so, and say why not', () => {
    assert.equal(chooseSampling({}, load({})).temperature, 0)
    assert.equal(chooseSampling({}, load({ do_sample: true })).temperature, 1)
    assert.deepEqual(chooseSampling({}, load({ do_sample: true, temperature: 0.6, top_k: 20, min_p: 0.1 })), {
      temperature: 0.6,
      topK: 20,
      minP: 0.1
    })
    for (const do_sample of [undefined, null, false]) {
      const made = load({ do_sample, temperature: 0.6, top_p: 0.9 })
      assert.equal(chooseSampling({}, made).temperature, 0)
      assert.match(made.unsampled!, /temperature 0\.6, top_p 0\.9 but .*do_sample.*the most likely token/)
    }
    assert.equal(load({ do_sample: true, temperature: 0.6 }).unsampled, undefined)
    assert.equal(load({ temperature: 1, top_k: 50, top_p: 1 }).unsampled, undefined)
  })

  it('give way to what is asked for; a part of sampling is sampling', () => {
    const made = load({ temperature: 0.6, top_p: 0.9, top_k: 30 })
    assert.deepEqual(chooseSampling({ topK: 5 }, made), { temperature: 0.6, topK: 5, topP: 0.9 })
    assert.equal(chooseSampling({ temperature: 0.2 }, made).temperature, 0.2)
    assert.equal(chooseSampling({ temperature: 0 }, load({ do_sample: true })).temperature, 0)
    assert.equal(chooseSampling({ topP: 0.5 }, load({})).temperature, 1)
  })

  it('are used: penalties, tokens and texts; the length counts the prompt', () => {
    const made = load({
      repetition_penalty: 1.3,
      suppress_tokens: [3],
      begin_suppress_tokens: [4],
      stop_strings: ['END', ''],
      max_length: 50
    })
    assert.deepEqual(chooseSampling({}, made), {
      temperature: 0,
      repetitionPenalty: 1.3,
      suppressIds: [3],
      beginSuppressIds: [4]
    })
    assert.deepEqual(made.stop, ['END'])
    assert.equal(madeMaxTokens(made, 20), 30)
    assert.equal(madeMaxTokens(made, 60), 1)
    assert.equal(madeMaxTokens(load({ max_length: 50, max_new_tokens: 7 }), 20), 7)
    assert.equal(madeMaxTokens(load({}), 20), undefined)
    assert.deepEqual(load({}, { eos_token_id: 2 }).stopIds, [2])
    assert.deepEqual(load({ eos_token_id: [3, 4] }, { eos_token_id: 2 }).stopIds, [3, 4])
  })

  it('are named where they are not used and would change something', () => {
    assert.equal(
      load({ transformers_version: '5', use_cache: true, pad_token_id: 0, num_beams: 1, bad_words_ids: null })
        .unused,
      undefined
    )
    assert.match(
      load({ num_beams: 4, typical_p: 0.9, novelty: 1 }).unused!,
      /num_beams 4, typical_p 0\.9, novelty 1/
    )
    assert.throws(() => load({ temperature: 'hot' }), /generation_config\.json/)
  })
})
