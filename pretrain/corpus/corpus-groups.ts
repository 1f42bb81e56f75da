import { seededShuffle, type TextDocument } from '../../src/data/index.ts'
import {
  ADDED_SOURCE_NAMES,
  type AddedSourceName,
  addedSectionOf,
  heldOutCharactersOf,
  loadAddedDocuments
} from './added-texts/index.ts'
import { loadPretrainingCorpus, type PretrainingCorpus } from './corpus.ts'
import { createDomainFilter } from './packages/index.ts'

/** Seed of the added sources' splits: a constant, like the base text's. */
const SPLIT_SEED = 20_021_851

/** Text from one origin, split in the same way for every model. */
export interface CorpusGroup extends PretrainingCorpus {
  readonly name: 'base' | AddedSourceName
}

/**
 * The base text, split as for the base model, followed by every added source. Texts that repeat a domain's or an
 * earlier text are excluded from both parts.
 *
 * @param addedFolder folder with the fetched texts
 */
export async function loadCorpusGroups(addedFolder: string): Promise<CorpusGroup[]> {
  const isNew = await createDomainFilter()
  const base = await loadPretrainingCorpus()
  // The base text passes the filter, too, so that no added text repeats one of its documents.
  for (const document of [...base.train, ...base.heldOut]) isNew(document)
  return [
    { name: 'base', ...base },
    ...ADDED_SOURCE_NAMES.map((name) => ({
      name,
      ...splitSections(loadAddedDocuments(addedFolder, name).filter(isNew), heldOutCharactersOf(name))
    }))
  ]
}

/** Holds out whole sections, in a seeded order, until they have `characters`. */
export function splitSections(documents: readonly TextDocument[], characters: number): PretrainingCorpus {
  const sections = [...new Set(documents.map(addedSectionOf))]
  const held = new Set<string>()
  let count = 0
  for (const section of seededShuffle(sections, SPLIT_SEED)) {
    if (count >= characters) break
    held.add(section)
    for (const document of documents) {
      if (addedSectionOf(document) === section) count += document.text.length
    }
  }
  const isHeldOut = (document: TextDocument): boolean => held.has(addedSectionOf(document))
  return {
    train: documents.filter((document) => !isHeldOut(document)),
    heldOut: documents.filter(isHeldOut)
  }
}
