import { DOMAIN_NAMES, loadDomain, type TextDocument } from '../../../src/data/index.ts'
import { isDomainList, isDomainYear, LIST_GROUPS } from './domain-sources.ts'
import { loadMails } from './mails.ts'
import { loadStateOfTheUnion } from './state-of-the-union.ts'
import { contentDigest } from './text-cleaning.ts'

/** Lines shorter than this (greetings, names) may occur in unrelated texts. */
const TELLING_LINE_CHARACTERS = 40
/** A text is dropped if more than this share of its long lines occurs in a domain. */
const TOLERATED_OVERLAP = 0.2

/**
 * All text that belongs to no domain: the pretraining text of the project's base model. It consists of the presidents
 * outside the domains' eras, and mails outside the domains' lists and groups. A text that repeats a domain's document,
 * or more than a fifth of whose long lines occur in one (forwarded mail, repeated advertisements), is left out, and so
 * are repetitions of a text.
 *
 * @returns about 10 MB, in the corpora's order; takes several seconds
 */
export async function loadPretrainingDocuments(): Promise<TextDocument[]> {
  const isNew = await createDomainFilter()
  return [...loadStateOfTheUnion((year) => !isDomainYear(year)), ...(await loadPretrainingMails())].filter(
    isNew
  )
}

/**
 * Creates a test for pretraining documents: false for one that repeats a domain's or an earlier document, or more than
 * a fifth of whose long lines occur in a domain.
 */
export async function createDomainFilter(): Promise<(document: TextDocument) => boolean> {
  const knownDigests = new Set<string>()
  const domainLines = new Set<string>()
  for (const name of DOMAIN_NAMES) {
    for (const { text } of (await loadDomain(name)).documents) {
      knownDigests.add(contentDigest(text))
      for (const line of tellingLines(text)) domainLines.add(line)
    }
  }
  return ({ text }) => {
    const digest = contentDigest(text)
    if (knownDigests.has(digest)) return false
    knownDigests.add(digest)
    const lines = tellingLines(text)
    return lines.filter((line) => domainLines.has(line)).length <= TOLERATED_OVERLAP * lines.length
  }
}

async function loadPretrainingMails(): Promise<TextDocument[]> {
  return [
    ...(await loadMails({ groups: LIST_GROUPS, list: (listId) => !isDomainList(listId) })),
    ...(await loadMails({ groups: ['spam-2'] }))
  ]
}

function tellingLines(text: string): string[] {
  return text
    .toLowerCase()
    .split('\n')
    .map((line) => line.replace(/[^a-z0-9]+/g, ' ').trim())
    .filter((line) => line.length >= TELLING_LINE_CHARACTERS)
}
