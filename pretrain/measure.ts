import { DOMAIN_NAMES, type DomainName, loadDomain, splitDocuments } from '../src/data/index.ts'
import { type BaseModel, loadBaseModel } from '../src/model/index.ts'
import { countBytes, loadPretrainingCorpus, tokenizeDocuments } from './corpus.ts'
import { createDocumentScorer } from './document-scorer.ts'
import { kneserNeyBigram, meanNats, unigramModel } from './kneser-ney.ts'

/** Seed of the domains' splits that the figures are measured on. */
export const DOMAIN_SPLIT_SEED = 1

/** A model's loss on some documents. */
export interface Loss {
  /** Nats per token; the document start is given, not scored. */
  readonly nats: number
  readonly tokens: number
  /** Of UTF-8 text: comparable across tokenizers. */
  readonly bitsPerByte: number
}

/** A model and its yardsticks on the held-out pretraining documents, by the same tokens. */
export interface Measurement {
  readonly parameters: number
  /** Unigram with add-one smoothing, trained on the pretraining documents. */
  readonly unigram: Loss
  /** Interpolated Kneser-Ney bigram, trained on the pretraining documents. */
  readonly bigram: Loss
  readonly model: Loss
  /** How far the model lies below the bigram, nats per token. */
  readonly margin: number
}

/** A model's loss on the held-out part of one domain, none of which it has seen. */
export interface DomainLoss extends Loss {
  readonly domain: DomainName
  readonly heldOutDocuments: number
}

/** Measures a model folder against the count models: about 25 seconds, most of it tokenizing. */
export async function measureModel(folder: string, threads: number): Promise<Measurement> {
  const base = loadBaseModel(folder)
  const { tokenizer, weights, config } = base
  const corpus = await loadPretrainingCorpus()
  const train = tokenizeDocuments(corpus.train, tokenizer)
  const heldOut = tokenizeDocuments(corpus.heldOut, tokenizer)
  const bytes = countBytes(corpus.heldOut)
  const scorer = await createDocumentScorer(config, threads)
  const model = withBits(await scorer.score(weights, heldOut), bytes)
  await scorer.dispose()
  const bigram = withBits(meanNats(kneserNeyBigram(train, config.vocabularySize), heldOut), bytes)
  return {
    parameters: countParameters(base),
    unigram: withBits(meanNats(unigramModel(train, config.vocabularySize), heldOut), bytes),
    bigram,
    model,
    margin: bigram.nats - model.nats
  }
}

/** The model's loss on the held-out part of all 16 domains: what a network's members start from. */
export async function measureDomains(folder: string, threads: number): Promise<DomainLoss[]> {
  const { tokenizer, weights, config } = loadBaseModel(folder)
  const scorer = await createDocumentScorer(config, threads)
  const losses: DomainLoss[] = []
  for (const domain of DOMAIN_NAMES) {
    const { documents } = await loadDomain(domain)
    const { heldOut } = splitDocuments(documents, { seed: DOMAIN_SPLIT_SEED })
    const loss = await scorer.score(weights, tokenizeDocuments(heldOut, tokenizer))
    losses.push({ domain, heldOutDocuments: heldOut.length, ...withBits(loss, countBytes(heldOut)) })
  }
  await scorer.dispose()
  return losses
}

function withBits({ nats, tokens }: { nats: number; tokens: number }, bytes: number): Loss {
  return { nats, tokens, bitsPerByte: (nats * tokens) / (bytes * Math.LN2) }
}

function countParameters({ weights }: BaseModel): number {
  let count = 0
  for (const { data } of weights.values()) count += data.length
  return count
}
