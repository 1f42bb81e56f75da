import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { unusedGenerationKeys } from '../../../../src/model/base-model/generation-keys.ts'
import { chooseSampling, loadGenerationDefaults, madeMaxTokens } from '../../../../src/model/index.ts'

const GENERATION_CONFIG =
  'max_length max_new_tokens min_length min_new_tokens early_stopping max_time stop_strings do_sample num_beams use_mtp use_cache cache_implementation cache_config max_cache_len temperature top_k top_p min_p top_h typical_p epsilon_cutoff eta_cutoff repetition_penalty encoder_repetition_penalty length_penalty no_repeat_ngram_size bad_words_ids renormalize_logits forced_bos_token_id forced_eos_token_id remove_invalid_values exponential_decay_length_penalty suppress_tokens begin_suppress_tokens sequence_bias token_healing guidance_scale watermarking_config num_return_sequences output_attentions output_hidden_states output_scores output_logits return_dict_in_generate pad_token_id bos_token_id eos_token_id encoder_no_repeat_ngram_size decoder_start_token_id is_assistant num_assistant_tokens num_assistant_tokens_schedule assistant_confidence_threshold prompt_lookup_num_tokens max_matching_ngram_size assistant_early_exit assistant_lookbehind target_lookbehind assistant_ensemble_weight speculation_type compile_config disable_compile continuous_batching_config low_memory penalty_alpha dola_layers diversity_penalty num_beam_groups constraints force_words_ids prefill_chunk_size _from_model_config transformers_version'
const SUPPORTED =
  'eos_token_id do_sample temperature top_k top_p min_p repetition_penalty suppress_tokens begin_suppress_tokens stop_strings max_new_tokens max_length no_repeat_ngram_size bad_words_ids min_new_tokens min_length'.split(
    ' '
  )
const NAMED =
  'num_beams top_h typical_p epsilon_cutoff eta_cutoff renormalize_logits forced_bos_token_id forced_eos_token_id exponential_decay_length_penalty sequence_bias token_healing guidance_scale watermarking_config num_return_sequences penalty_alpha dola_layers constraints force_words_ids'

describe("the generation defaults of a model's authors", () => {
  let folder: string
  const load = (made: object, config: object = {}) => {
    writeFileSync(join(folder, 'generation_config.json'), `\ufeff${JSON.stringify(made)}`)
    return loadGenerationDefaults(folder, config)
  }
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'loam-generation-'))
  })
  after(() => rmSync(folder, { recursive: true }))

  it('enable sampling only if they say so, and give the reason if not', () => {
    assert.equal(chooseSampling({}, load({})).temperature, 0)
    // The defaults of transformers, among which are the 50 most likely tokens.
    assert.deepEqual(chooseSampling({}, load({ do_sample: true })), { temperature: 1, topK: 50 })
    assert.deepEqual(chooseSampling({}, load({ do_sample: true, top_k: null })), { temperature: 1, topK: 50 })
    assert.deepEqual(chooseSampling({}, load({ do_sample: true, top_k: 0 })), { temperature: 1 })
    assert.equal(chooseSampling({}, load({ do_sample: true, top_p: 0 })).topP, 0)
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

  it('yield to explicit options, of which one for sampling enables it', () => {
    const made = load({ temperature: 0.6, top_p: 0.9, top_k: 30 })
    assert.deepEqual(chooseSampling({ topK: 5 }, made), { temperature: 0.6, topK: 5, topP: 0.9 })
    assert.equal(chooseSampling({ temperature: 0.2 }, made).temperature, 0.2)
    assert.equal(chooseSampling({ temperature: 0 }, load({ do_sample: true })).temperature, 0)
    assert.equal(chooseSampling({ topP: 0.5 }, load({})).temperature, 1)
  })

  it('are applied: penalties, tokens and texts; the length includes the prompt', () => {
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

  it('come from config.json if there is no generation_config.json, as in transformers', () => {
    rmSync(join(folder, 'generation_config.json'))
    const config = { hidden_size: 8, repetition_penalty: 1.5, max_length: 9, num_beams: 2, vocab_size: 3 }
    const made = loadGenerationDefaults(folder, config)
    assert.deepEqual([made.repetitionPenalty, made.maxLength], [1.5, 9])
    assert.equal(made.unused, 'config.json: not used: num_beams 2')
    assert.equal(load({}, config).repetitionPenalty, undefined)
  })

  it('limit repetition, bad words and the shortest text', () => {
    const made = load({
      no_repeat_ngram_size: 3,
      bad_words_ids: [[1], [2, 3]],
      min_new_tokens: 4,
      min_length: 5
    })
    assert.deepEqual(chooseSampling({}, made), {
      temperature: 0,
      noRepeatNgramSize: 3,
      badWordsIds: [[1], [2, 3]],
      minTokens: 4,
      minLength: 5
    })
    assert.equal(made.unused, undefined)
    assert.throws(() => load({ bad_words_ids: [[]] }), /generation_config\.json/)
  })

  it('cover every key of GenerationConfig in transformers 5.24', () => {
    const made = Object.fromEntries(GENERATION_CONFIG.split(' ').map((key) => [key, { a: 1 }]))
    const named = unusedGenerationKeys(made, [])
    assert.deepEqual(
      named.map((text) => text.split(' ')[0]).filter((key) => !SUPPORTED.includes(key!)),
      NAMED.split(' ')
    )
  })

  it('are reported if they are unsupported and would change the result', () => {
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
