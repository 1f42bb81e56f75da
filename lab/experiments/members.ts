import { type BatchStream, combineSeeds, createBatchStream } from '../../src/data/index.ts'
import type { BaseModel } from '../../src/model/index.ts'
import { partitionDirichlet } from '../partitions/index.ts'
import type { TokenizedDomain } from './corpus.ts'
import type { ExperimentSettings } from './settings.ts'

/** How the text is spread over the members. */
export type Split = 'domain' | 'dirichlet'

/** A member of the experiment: its text, ready to train on. */
export interface ExperimentMember {
  readonly index: number
  /** Training documents: its weight in the average. */
  readonly samples: number
  readonly batches: BatchStream
  /** Bytes that the stack is ordered by. */
  readonly author: Uint8Array
}

/** Spreads the corpus over the members: a domain each, or every domain by Dirichlet shares. */
export function createMembers(
  base: BaseModel,
  domains: readonly TokenizedDomain[],
  split: Split,
  seed: number,
  settings: ExperimentSettings
): ExperimentMember[] {
  const parts =
    split === 'domain' ? domains.map(({ train }) => train) : dirichletParts(domains, seed, settings)
  return parts.map((documents, index) => ({
    index,
    samples: documents.length,
    batches: batchesOf(base, documents, combineSeeds(seed, index), settings),
    author: Uint8Array.of(index)
  }))
}

/** Every domain is a class, whose documents the members share by Dirichlet draws (FLoRA, section 5). */
function dirichletParts(
  domains: readonly TokenizedDomain[],
  seed: number,
  { dirichletAlpha, members }: ExperimentSettings
): (readonly number[])[][] {
  const labels = domains.flatMap(({ name, train }) => train.map(() => name))
  const documents = domains.flatMap(({ train }) => train)
  return partitionDirichlet(documents, { members, seed, labels, alpha: dirichletAlpha })
}

/** The text of all members in one stream: what the centralised baseline trains on. */
export function pooledBatches(
  base: BaseModel,
  domains: readonly TokenizedDomain[],
  seed: number,
  settings: ExperimentSettings
): BatchStream {
  return batchesOf(
    base,
    domains.flatMap(({ train }) => train),
    seed,
    settings
  )
}

function batchesOf(
  { tokenizer }: BaseModel,
  documents: readonly (readonly number[])[],
  seed: number,
  { batchSize, sequenceLength }: ExperimentSettings
): BatchStream {
  return createBatchStream({ documents, tokenizer, batchSize, sequenceLength, seed })
}
