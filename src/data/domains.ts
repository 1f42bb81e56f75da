import { loadMails, loadMobyDick, loadStateOfTheUnion } from './corpora/index.ts'
import type { TextDocument } from './text/document.ts'

/** A domain without its text. */
export interface DomainDescription {
  readonly description: string
  readonly licence: string
}

/** One kind of real text, as one peer of the testnet holds it. */
export interface Domain extends DomainDescription {
  readonly name: DomainName
  /** At least 12, in the corpus's order. What a manifest counts as `samples` are those of them that are trained on. */
  readonly documents: readonly TextDocument[]
}

interface DomainSource extends DomainDescription {
  load(): TextDocument[] | Promise<TextDocument[]>
}

/** Every text package that Loam uses carries the same two licences: code apart, the text is public domain. */
export const CORPUS_LICENCE = 'CC0-1.0 / PDDL-1.0'

/** Mailing lists that are a domain of their own, told by the address in the `List-Id` header. */
const LIST_DOMAINS = {
  'linux-users': /linux\.ie$|iiu\.taint\.org/,
  'rpm-packagers': /freshrpms\.net/,
  'spam-filters': /^spamassassin-|razor-users|spambayes/,
  'mail-client': /exmh/
} as const

/** First and last year of the ages that are a domain, both included. */
const AGE_DOMAINS = {
  founders: [1790, 1824],
  'modern-presidents': [1982, 2021],
  wartime: [1934, 1945],
  'civil-war': [1861, 1864],
  sixties: [1961, 1969],
  'gilded-age': [1877, 1884],
  eisenhower: [1954, 1960],
  reconstruction: [1865, 1868],
  wilson: [1913, 1920]
} as const

const EASY_HAM = ['easy-ham-1', 'easy-ham-2'] as const

function speeches(name: keyof typeof AGE_DOMAINS, who: string): DomainSource {
  const [first, last] = AGE_DOMAINS[name]
  return {
    description: `State of the Union addresses ${first}–${last}: ${who}`,
    licence: CORPUS_LICENCE,
    load: () => loadStateOfTheUnion((year) => first <= year && year <= last)
  }
}

function mailingListMails(name: keyof typeof LIST_DOMAINS, what: string): DomainSource {
  return {
    description: `mails of ${what}, 2002`,
    licence: CORPUS_LICENCE,
    load: () => loadMails({ groups: EASY_HAM, list: (listId) => LIST_DOMAINS[name].test(listId) })
  }
}

/**
 * In the order in which peers are given them: the first four are as different as this text allows, from one another and
 * from what the base model was pretrained on.
 */
const SOURCES = {
  newsletters: {
    description: 'wanted newsletters and notices of 2002 (SpamAssassin corpus, group hard-ham-1)',
    licence: CORPUS_LICENCE,
    load: () => loadMails({ groups: ['hard-ham-1'] })
  },
  'moby-dick': {
    description: "Herman Melville's novel of 1851",
    licence: CORPUS_LICENCE,
    load: () => loadMobyDick()
  },
  'modern-presidents': speeches('modern-presidents', 'Reagan to Biden'),
  'rpm-packagers': mailingListMails('rpm-packagers', 'people who build Red Hat packages'),
  spam: {
    description: 'unwanted mail of 2002 (SpamAssassin corpus, group spam-1)',
    licence: CORPUS_LICENCE,
    load: () => loadMails({ groups: ['spam-1'] })
  },
  founders: speeches('founders', 'Washington to Monroe'),
  'linux-users': mailingListMails('linux-users', 'Irish Linux and Internet users'),
  wartime: speeches('wartime', 'Franklin D. Roosevelt'),
  'civil-war': speeches('civil-war', 'Lincoln'),
  'spam-filters': mailingListMails('spam-filters', 'the makers of spam filters'),
  sixties: speeches('sixties', 'Kennedy and Johnson'),
  'gilded-age': speeches('gilded-age', 'Hayes and Arthur'),
  'mail-client': mailingListMails('mail-client', 'users and makers of the exmh mail reader'),
  eisenhower: speeches('eisenhower', 'Eisenhower'),
  reconstruction: speeches('reconstruction', 'Andrew Johnson'),
  wilson: speeches('wilson', 'Wilson')
} as const satisfies Record<string, DomainSource>

export type DomainName = keyof typeof SOURCES

/** All 16 domains in a fixed order; a network of N peers takes the first N. */
export const DOMAIN_NAMES = Object.keys(SOURCES) as readonly DomainName[]

/** True for the name of a domain. */
export function isDomainName(name: string): name is DomainName {
  return Object.hasOwn(SOURCES, name)
}

/** What a domain is, without reading its text. */
export function describeDomain(name: DomainName): DomainDescription {
  const { description, licence } = SOURCES[name]
  return { description, licence }
}

/**
 * Reads, cleans and cuts one domain's text: 0.1 to 2 seconds.
 *
 * @throws {Error} when there is no such domain or its text package is not installed
 */
export async function loadDomain(name: string): Promise<Domain> {
  if (!isDomainName(name)) {
    throw new Error(`there is no domain "${name}": choose one of ${DOMAIN_NAMES.join(', ')}`)
  }
  return { name, ...describeDomain(name), documents: await SOURCES[name].load() }
}

/** True for a year whose addresses are a domain's. */
export function isDomainYear(year: number): boolean {
  return Object.values(AGE_DOMAINS).some(([first, last]) => first <= year && year <= last)
}

/** True for a mailing list whose mails are a domain's. */
export function isDomainList(listId: string): boolean {
  return Object.values(LIST_DOMAINS).some((pattern) => pattern.test(listId))
}
