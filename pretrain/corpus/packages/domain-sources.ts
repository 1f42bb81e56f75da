import type { DomainName, TextDocument } from '../../../src/data/index.ts'
import { loadMails, type MailGroup } from './mails.ts'
import { loadMobyDick } from './moby-dick.ts'
import { loadStateOfTheUnion } from './state-of-the-union.ts'

/** Mailing lists that form a domain, identified by the address in the `List-Id` header. */
const LIST_DOMAINS = {
  'linux-users': /linux\.ie$|iiu\.taint\.org/,
  'rpm-packagers': /freshrpms\.net/,
  'spam-filters': /^spamassassin-|razor-users|spambayes/,
  'mail-client': /exmh/
} as const satisfies Partial<Record<DomainName, RegExp>>

/** First and last year of each era that forms a domain, inclusive. */
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
} as const satisfies Partial<Record<DomainName, readonly [number, number]>>

/** Groups of mail that each form a domain. */
const GROUP_DOMAINS = {
  newsletters: 'hard-ham-1',
  spam: 'spam-1'
} as const satisfies Partial<Record<DomainName, MailGroup>>

/** The mail group that contains {@link LIST_DOMAINS}. */
export const LIST_GROUPS = ['easy-ham-1', 'easy-ham-2'] as const

/**
 * Reads, cleans and cuts a domain's text from its packages. Takes 0.1 to 2 seconds.
 *
 * @throws {Error} if a package is not installed
 */
export async function readDomainFromPackages(name: DomainName): Promise<TextDocument[]> {
  if (name === 'moby-dick') return loadMobyDick()
  if (isKeyOf(GROUP_DOMAINS, name)) return loadMails({ groups: [GROUP_DOMAINS[name]] })
  if (isKeyOf(LIST_DOMAINS, name))
    return loadMails({ groups: LIST_GROUPS, list: (listId) => LIST_DOMAINS[name].test(listId) })
  const [first, last] = AGE_DOMAINS[name]
  return loadStateOfTheUnion((year) => first <= year && year <= last)
}

/** Whether a year is one whose addresses belong to a domain. */
export function isDomainYear(year: number): boolean {
  return Object.values(AGE_DOMAINS).some(([first, last]) => first <= year && year <= last)
}

/** Whether the mails of a mailing list belong to a domain. */
export function isDomainList(listId: string): boolean {
  return Object.values(LIST_DOMAINS).some((pattern) => pattern.test(listId))
}

function isKeyOf<T extends object>(record: T, key: PropertyKey): key is keyof T {
  return Object.hasOwn(record, key)
}
