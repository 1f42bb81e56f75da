import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { brotliDecompress } from 'node:zlib'
import { z } from 'zod'
import { packageRoot } from '../package-root.ts'
import type { TextDocument } from './text/document.ts'

/** A domain without its text. */
export interface DomainDescription {
  readonly description: string
  readonly licence: string
}

/** One kind of real text, as one peer of the testnet holds it. */
export interface Domain extends DomainDescription {
  readonly name: DomainName
  /** At least 12, in the corpus's order. A manifest's `samples` counts those that are trained on. */
  readonly documents: readonly TextDocument[]
}

/**
 * Licences of the packages that the domains' text comes from. The text itself, without the packaging code, is in the
 * public domain.
 */
const CORPUS_LICENCE = 'CC0-1.0 / PDDL-1.0'

/**
 * In the order in which peers get them: the first four differ as much as this text allows from one another and from the
 * base model's pretraining text.
 */
const DESCRIPTIONS = {
  newsletters: 'wanted newsletters and notices of 2002 (SpamAssassin corpus, group hard-ham-1)',
  'moby-dick': "Herman Melville's novel of 1851",
  'modern-presidents': 'State of the Union addresses 1982–2021: Reagan to Biden',
  'rpm-packagers': 'mails of people who build Red Hat packages, 2002',
  spam: 'unwanted mail of 2002 (SpamAssassin corpus, group spam-1)',
  founders: 'State of the Union addresses 1790–1824: Washington to Monroe',
  'linux-users': 'mails of Irish Linux and Internet users, 2002',
  wartime: 'State of the Union addresses 1934–1945: Franklin D. Roosevelt',
  'civil-war': 'State of the Union addresses 1861–1864: Lincoln',
  'spam-filters': 'mails of the makers of spam filters, 2002',
  sixties: 'State of the Union addresses 1961–1969: Kennedy and Johnson',
  'gilded-age': 'State of the Union addresses 1877–1884: Hayes and Arthur',
  'mail-client': 'mails of users and makers of the exmh mail reader, 2002',
  eisenhower: 'State of the Union addresses 1954–1960: Eisenhower',
  reconstruction: 'State of the Union addresses 1865–1868: Andrew Johnson',
  wilson: 'State of the Union addresses 1913–1920: Wilson'
} as const

export type DomainName = keyof typeof DESCRIPTIONS

/** All 16 domains in a fixed order; a network of N peers takes the first N. */
export const DOMAIN_NAMES = Object.keys(DESCRIPTIONS) as readonly DomainName[]

/** True for the name of a domain. */
export function isDomainName(name: string): name is DomainName {
  return Object.hasOwn(DESCRIPTIONS, name)
}

/** Describes a domain without reading its text. */
export function describeDomain(name: DomainName): DomainDescription {
  return { description: DESCRIPTIONS[name], licence: CORPUS_LICENCE }
}

const domainLineSchema = z.object({
  name: z.string(),
  documents: z.array(z.object({ id: z.string(), text: z.string() }))
})

/** A line of the domains' file: the domain's name, and its documents. */
export type DomainLine = z.infer<typeof domainLineSchema>

/** The text of all domains, JSON Lines in brotli, one {@link DomainLine} per domain in the order of their names. */
export function domainsFile(): string {
  return join(packageRoot(), 'corpora', 'domains.jsonl.br')
}

/**
 * Reads one domain's text from the package: about 50 ms.
 *
 * @throws {Error} when there is no such domain, or the file is missing or damaged
 */
export async function loadDomain(name: string): Promise<Domain> {
  if (!isDomainName(name)) {
    throw new Error(`unknown domain "${name}": choose one of ${DOMAIN_NAMES.join(', ')}`)
  }
  const line = (await readDomainLines())[DOMAIN_NAMES.indexOf(name)]
  const found = line === undefined ? undefined : domainLineSchema.parse(JSON.parse(line))
  if (found?.name !== name) throw new Error(`${domainsFile()} has no domain "${name}": install Loam again`)
  return { name, ...describeDomain(name), documents: found.documents }
}

async function readDomainLines(): Promise<string[]> {
  try {
    const text = await promisify(brotliDecompress)(await readFile(domainsFile()))
    return text.toString('utf8').split('\n')
  } catch (cause) {
    throw new Error(`${domainsFile()} cannot be read: install Loam again`, { cause })
  }
}
