/**
 * The text that ships through npm, as documents.
 *
 * ```ts
 * const speeches = loadStateOfTheUnion((year) => year >= 1861 && year <= 1864)
 * const spam = await loadMails({ groups: ['spam-1'], limit: 100 })
 * ```
 */
export { cleanMail, cleanMailText, maskAddresses } from './mail-cleaning.ts'
export { loadMails, MAIL_GROUPS, type MailGroup, type MailSelection, mailingList } from './mails.ts'
export { loadMobyDick } from './moby-dick.ts'
export { loadStateOfTheUnion } from './state-of-the-union.ts'
