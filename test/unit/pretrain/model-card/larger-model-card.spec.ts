import assert from 'node:assert/strict'
import { largerModelCard, type MeasuredModel } from '../../../../pretrain/model-card/larger-model-card.ts'
import type { ModelFacts } from '../../../../pretrain/model-card/model-card-text.ts'
import type { TrainingRecord } from '../../../../pretrain/training/training-record.ts'

const facts: ModelFacts = {
  config: {
    vocabularySize: 1536,
    hiddenSize: 384,
    intermediateSize: 1032,
    layers: 5,
    heads: 12,
    keyValueHeads: 6,
    headSize: 32,
    maxPositions: 256,
    normEpsilon: 1e-5,
    ropeTheta: 10_000,
    attentionBias: false,
    outputBias: false,
    tiedHead: true
  },
  weightBytes: 17_505_544
}

const recipe = {
  steps: 200,
  batchSize: 16,
  sequenceLength: 256,
  seed: 1,
  learningRate: 3e-4,
  cooldownSteps: 150,
  warmupSteps: 10,
  finalShare: 0.05,
  weightDecay: 0.1,
  beta1: 0.9,
  beta2: 0.98,
  clipNorm: 1
}

const record: TrainingRecord = {
  recipe,
  corpus: { trainDocuments: 3, trainBytes: 900, trainTokens: 300, heldOutDocuments: 2, heldOutBytes: 90 },
  addedTexts: [
    { source: 'opticks', documents: 4, bytes: 400, tokens: 100, heldOutDocuments: 1, heldOutBytes: 20 }
  ],
  baseRepeats: 2,
  grownFrom: { model: 'small', copies: 3 },
  engine: 'PyTorch 2',
  seconds: 600,
  threads: 2,
  processor: 'CPU',
  heldOutLosses: [{ step: 200, nats: 2.9, addedTexts: { opticks: 3.6 } }]
}

function measured(name: string, nats: number): MeasuredModel {
  const loss = { nats, tokens: 1000, bitsPerByte: nats / 2 }
  return {
    name,
    measurement: { parameters: 8_750_208, unigram: loss, bigram: loss, model: loss, margin: 0 },
    domains: [{ ...loss, domain: 'moby-dick', heldOutDocuments: 2 }],
    addedTexts: [{ ...loss, source: 'opticks', heldOutDocuments: 1 }]
  }
}

describe('pretrain/larger-model-card', () => {
  const write = (changed: Partial<TrainingRecord> = {}): string =>
    largerModelCard(facts, { ...record, ...changed }, measured('large', 2.5), measured('small', 3.25), [
      { beginning: 'Once', continuation: ' upon a <time>' }
    ])

  it('shows the losses of both models side by side', () => {
    const card = write()
    assert.match(card, /^# large$/m)
    assert.match(card, /\*\*0\.750 nats per token\*\* under `small`/)
    assert.match(card, /^\| moby-dick \| .* \| 3\.250 \| 2\.500 \| 1\.250 \|$/m)
    assert.match(card, /^\| opticks \| 3\.250 \| 2\.500 \| 1\.250 \|$/m)
  })

  it('says so when the model is not better', () => {
    const card = largerModelCard(facts, record, measured('large', 3.5), measured('small', 3.25), [])
    assert.match(card, /\*\*0\.250 nats per token\*\* above `small`/)
  })

  it('names every added text with its package and licence', () => {
    assert.match(
      write(),
      /^\| opticks \| Isaac Newton's Opticks.*`golang-1\.19-src` \| public domain.* \| 4 \(1\) \|/m
    )
  })

  it('describes one run in a sentence, several by number, with what was moved and averaged', () => {
    assert.match(write(), /^200 steps, learning rate 0\.0003 after 10 of warm-up, then constant to step 50,/m)
    const earlier = [
      {
        recipe: { ...recipe, steps: 360 },
        endMoves: [],
        step: 259,
        seconds: 60,
        share: 0.5,
        heldOutLosses: []
      }
    ]
    const card = write({ earlier, endMoves: [{ step: 120, steps: 200, cooldownSteps: 150 }] })
    assert.match(card, /^1\. 360 steps.* It was stopped at step 259\. The next run began midway between/m)
    assert.match(card, /^2\. 200 steps.* At step 120, in the cool-down, the end was moved to step 200\.$/m)
    assert.match(card, /--before \.loam\/torch-work-1\/checkpoint\.pt --before-share 0\.5/)
    assert.match(card, /11 minutes/)
  })

  it('escapes markup in quoted samples', () => {
    assert.match(write(), /^> \*\*Once\*\* upon a \\<time\\>$/m)
  })

  it('refuses the record of a model that was not grown', () => {
    assert.throws(() => write({ grownFrom: undefined }), /not that of a model grown from a smaller one/)
  })
})
