import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { assembleModel, type ModelParts } from '../../../../pretrain/assemble/assemble-model.ts'
import { readTrainingRecord } from '../../../../pretrain/training/training-record.ts'
import { loadBaseModel } from '../../../../src/model/index.ts'
import { packageRoot } from '../../../../src/package-root.ts'

const SMALLER = join(packageRoot(), 'models', 'loam-base-1m')

const sizes = {
  trainDocuments: 3,
  trainBytes: 500,
  trainTokens: 100,
  heldoutDocuments: 1,
  heldoutBytes: 90,
  heldoutTokens: 20
}
const recipe = {
  steps: 10,
  batchSize: 16,
  sequenceLength: 256,
  seed: 1,
  learningRate: 1e-3,
  cooldownSteps: 4,
  warmupSteps: 2,
  finalShare: 0.05,
  weightDecay: 0.1,
  beta1: 0.9,
  beta2: 0.98,
  clipNorm: 1,
  repeatBase: 2,
  grownFrom: 'loam-base-1m',
  copies: 3
}

describe('pretrain/assemble-model', () => {
  let work: string
  let parts: ModelParts
  beforeEach(() => {
    work = mkdtempSync(join(tmpdir(), 'loam-assemble-'))
    parts = {
      trained: join(work, 'trained'),
      tokens: join(work, 'tokens'),
      smaller: SMALLER,
      out: join(work, 'out')
    }
    // The smaller model's own weights serve as trained ones.
    mkdirSync(parts.trained)
    for (const name of ['config.json', 'model.safetensors'])
      cpSync(join(SMALLER, name), join(parts.trained, name))
    const run = {
      engine: 'PyTorch 2',
      recipe,
      earlier: [
        { recipe, endMoves: [], step: 7, seconds: 30, share: 0.5, heldOutLosses: [{ step: 5, base: 3.3 }] }
      ],
      endMoves: [{ step: 8, steps: 10, cooldownSteps: 4 }],
      step: 10,
      seconds: 60,
      threads: 2,
      heldOutLosses: [{ step: 10, base: 3.1, opticks: 4.2 }]
    }
    writeFileSync(join(parts.trained, 'run.json'), JSON.stringify(run))
    mkdirSync(parts.tokens)
    writeManifest(
      createHash('sha256')
        .update(readFileSync(join(SMALLER, 'tokenizer.json')))
        .digest('hex')
    )
  })
  afterEach(() => rmSync(work, { recursive: true, force: true }))

  function writeManifest(tokenizerSha256: string): void {
    const groups = [
      { name: 'base', ...sizes },
      { name: 'opticks', ...sizes, trainTokens: 7 }
    ]
    writeFileSync(
      join(parts.tokens, 'tokens.json'),
      JSON.stringify({ tokenizerSha256, vocabularySize: 1536, bosId: 0, groups })
    )
  }

  it('writes a folder that Loam loads, with the tokenizer of the smaller model byte for byte', () => {
    assembleModel(parts)
    for (const name of ['tokenizer.json', 'tokenizer_config.json', 'generation_config.json'])
      assert.deepEqual(readFileSync(join(parts.out, name)), readFileSync(join(SMALLER, name)))
    assert.equal(loadBaseModel(parts.out).tokenizer.vocabularySize, 1536)
  })

  it('records the recipe, the texts and the losses', () => {
    assembleModel(parts)
    const record = readTrainingRecord(parts.out)
    const { repeatBase, grownFrom, copies, ...shared } = recipe
    assert.deepEqual(record.recipe, shared)
    assert.equal(record.baseRepeats, repeatBase)
    assert.deepEqual(record.grownFrom, { model: grownFrom, copies })
    assert.deepEqual(record.earlier, [
      {
        recipe: shared,
        endMoves: [],
        step: 7,
        seconds: 30,
        share: 0.5,
        heldOutLosses: [{ step: 5, nats: 3.3, addedTexts: {} }]
      }
    ])
    assert.deepEqual(record.endMoves, [{ step: 8, steps: 10, cooldownSteps: 4 }])
    assert.equal(record.corpus.trainTokens, 100)
    assert.deepEqual(record.addedTexts, [
      { source: 'opticks', documents: 3, bytes: 500, tokens: 7, heldOutDocuments: 1, heldOutBytes: 90 }
    ])
    assert.deepEqual(record.heldOutLosses, [{ step: 10, nats: 3.1, addedTexts: { opticks: 4.2 } }])
  })

  it('refuses tokens of another tokenizer before it writes anything', () => {
    writeManifest('0'.repeat(64))
    assert.throws(() => assembleModel(parts), /exported with a tokenizer other than/)
    assert.throws(() => readFileSync(join(parts.out, 'config.json')))
  })
})
