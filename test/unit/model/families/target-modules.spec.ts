import assert from 'node:assert/strict'
import { expandTargetModules, linearModules } from '../../../../src/model/index.ts'
import { TINY_GPT2 } from '../tiny-gpt2.ts'
import { TINY_CONFIG } from '../tiny-llama.ts'

const expand = (...patterns: string[]): string[] => expandTargetModules(TINY_CONFIG, patterns)
const all = [...linearModules(TINY_CONFIG).keys()].sort()

describe('target modules', () => {
  it('are matched by full name, suffix, wildcard, regular expression, or all at once', () => {
    assert.deepEqual(expand('all-linear'), all)
    assert.deepEqual(expand('*'), all)
    assert.deepEqual(expand('*_proj'), all)
    assert.deepEqual(
      expand('mlp.*'),
      all.filter((name) => name.includes('.mlp.'))
    )
    assert.deepEqual(expand('layers.1.*.q_proj'), ['model.layers.1.self_attn.q_proj'])
    assert.deepEqual(expand('/model\\.layers\\.[1-9]\\..*\\.(q|v)_proj/'), [
      'model.layers.1.self_attn.q_proj',
      'model.layers.1.self_attn.v_proj'
    ])
    assert.deepEqual(expandTargetModules(TINY_GPT2, ['c_proj']), [
      'transformer.h.0.attn.c_proj',
      'transformer.h.0.mlp.c_proj',
      'transformer.h.1.attn.c_proj',
      'transformer.h.1.mlp.c_proj'
    ])
  })

  it('are never matched by a part of a name component', () => {
    for (const pattern of ['_proj', 'proj', 'layers', 'elf_attn.*', '*.q_pro', '/q_proj/', 'lm_head', ''])
      assert.throws(() => expand(pattern), /no linear module of the model is called/, pattern)
    assert.throws(
      () => expand('q_proj', 'nonsense'),
      /called nonsense; there are q_proj, .* \(and all-linear\)/
    )
    assert.throws(() => expand('/(/'), /\/\(\/ is not a regular expression/)
  })
})
