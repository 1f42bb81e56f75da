import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { DOMAIN_NAMES, type DomainName, loadDomain, splitDocuments } from '../../src/data/index.ts'
import { type BaseModel, loadBaseModel } from '../../src/model/index.ts'
import type { AddedSourceName } from '../corpus/added-texts/index.ts'
import { countBytes, loadPretrainingCorpus, tokenizeDocuments } from '../corpus/corpus.ts'
import { loadCorpusGroups } from '../corpus/corpus-groups.ts'
import { createDocumentScorer } from './document-scorer.ts'
import { kneserNeyBigram, meanNats, unigramModel } from './kneser-ney.ts'

/** Seed of the domain splits used for the figures. */
export const DOMAIN_SPLIT_SEED = 1

/** A model's loss on some documents. */
export interface Loss {
  /** Nats per token; the document start is given, not scored. */
  readonly nats: number
  readonly tokens: number
  /** Bits per byte of UTF-8 text, comparable across tokenizers. */
  readonly bitsPerByte: number
}

/** Losses of a model and its baselines on the held-out pretraining documents, with the same tokens. */
export interface Measurement {
  readonly parameters: number
  /** Unigram with add-one smoothing, trained on the pretraining documents. */
  readonly unigram: Loss
  /** Interpolated Kneser-Ney bigram, trained on the pretraining documents. */
  readonly bigram: Loss
  readonly model: Loss
  /** Difference between the bigram's loss and the model's, nats per token. */
  readonly margin: number
}

/** A model's loss on the held-out part of one domain, which it was not trained on. */
export interface DomainLoss extends Loss {
  readonly domain: DomainName
  readonly heldOutDocuments: number
}

/** A model's loss on the held-out part of one added source. */
export interface AddedTextLoss extends Loss {
  readonly source: AddedSourceName
  readonly heldOutDocuments: number
}

/** Measures a model folder against the count models: about 25 seconds, most of it tokenizing. */
export async function measureModel(folder: string, threads: number): Promise<Measurement> {
  const [measurement] = await measureModels([folder], threads)
  return measurement!
}

/** Measures model folders on the same documents; models with the same tokenizer share the count models. */
export async function measureModels(folders: readonly string[], threads: number): Promise<Measurement[]> {
  const corpus = await loadPretrainingCorpus()
  const bytes = countBytes(corpus.heldOut)
  const measurements: Measurement[] = []
  let known:
    | (Pick<Measurement, 'unigram' | 'bigram'> & { tokenizer: string; heldOut: number[][] })
    | undefined
  for (const folder of folders) {
    const base = loadBaseModel(folder)
    const { config, weights } = base
    const tokenizer = readFileSync(join(folder, 'tokenizer.json'), 'utf8')
    if (known?.tokenizer !== tokenizer) {
      const train = tokenizeDocuments(corpus.train, base.tokenizer)
      const heldOut = tokenizeDocuments(corpus.heldOut, base.tokenizer)
      const unigram = withBits(meanNats(unigramModel(train, config.vocabularySize), heldOut), bytes)
      const bigram = withBits(meanNats(kneserNeyBigram(train, config.vocabularySize), heldOut), bytes)
      known = { tokenizer, heldOut, unigram, bigram }
    }
    const scorer = await createDocumentScorer(config, threads)
    const model = withBits(await scorer.score(weights, known.heldOut), bytes)
    await scorer.dispose()
    const { unigram, bigram } = known
    measurements.push({
      parameters: countParameters(base),
      unigram,
      bigram,
      model,
      margin: bigram.nats - model.nats
    })
  }
  return measurements
}

/**
 * The model's loss on the held-out sections of the added texts.
 *
 * @param texts folder with the fetched texts
 */
export async function measureAddedTexts(
  folder: string,
  texts: string,
  threads: number
): Promise<AddedTextLoss[]> {
  const { tokenizer, weights, config } = loadBaseModel(folder)
  const scorer = await createDocumentScorer(config, threads)
  const losses: AddedTextLoss[] = []
  for (const { name, heldOut } of await loadCorpusGroups(texts)) {
    if (name === 'base') continue
    const loss = await scorer.score(weights, tokenizeDocuments(heldOut, tokenizer))
    losses.push({ source: name, heldOutDocuments: heldOut.length, ...withBits(loss, countBytes(heldOut)) })
  }
  await scorer.dispose()
  return losses
}

/** The model's loss on the held-out part of all 16 domains: the starting point of a network's members. */
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
