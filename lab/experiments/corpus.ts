import { DOMAIN_NAMES, documentTokens, loadDomain, splitDocuments } from '../../src/data/index.ts'
import type { BaseModel } from '../../src/model/index.ts'
import type { ExperimentSettings } from './settings.ts'

/** Seed of the held-out split: the same in every run, so that losses can be compared. */
const HELD_OUT_SEED = 1

/** A domain's text as tokens. */
export interface TokenizedDomain {
  readonly name: string
  /** Training documents without their beginning-of-sequence id. */
  readonly train: readonly (readonly number[])[]
  /** Held-out text in one piece, with the length from the settings. */
  readonly heldOut: readonly number[]
}

/** Reads and tokenizes one domain per member. */
export async function loadCorpus(
  { tokenizer }: BaseModel,
  { members, heldOutTokens }: ExperimentSettings
): Promise<TokenizedDomain[]> {
  const domains: TokenizedDomain[] = []
  for (const name of DOMAIN_NAMES.slice(0, members)) {
    const { documents } = await loadDomain(name)
    const split = splitDocuments(documents, { seed: HELD_OUT_SEED })
    domains.push({
      name,
      train: split.train.map(({ text }) => tokenizer.encode(text)),
      heldOut: split.heldOut.flatMap(({ text }) => documentTokens(text, tokenizer)).slice(0, heldOutTokens)
    })
  }
  return domains
}
