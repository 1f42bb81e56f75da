import { createRequire } from 'node:module'
import { normaliseWhitespace } from './text-cleaning.ts'

/** A mail's raw source beyond this many characters is ignored: attachments follow. */
const SOURCE_CHARACTERS = 100_000
/** Maximum characters of a cleaned mail. */
const TEXT_CHARACTERS = 6000
/** Mails with fewer letters than this are dropped. */
const MINIMUM_LETTERS = 80
/**
 * Minimum share of ASCII letters and white space in a text; below it, the text is a table, a listing or encoded data.
 */
const MINIMUM_PLAIN_SHARE = 0.75
/** Runs without a space that are longer than this are encoded data, not words. */
const LONGEST_WORD = 40

const EMAIL_MASK = '<email>'
const URL_MASK = '<url>'

/** The two functions used from packages without types. */
interface MailParser {
  simpleParser(
    source: string,
    options: {
      skipHtmlToText: boolean
      skipTextToHtml: boolean
      skipImageLinks: boolean
      skipTextLinks: boolean
    }
  ): Promise<{ subject?: string; text?: string; html?: string | false }>
}
interface HtmlToText {
  convert(html: string, options: object): string
}

const require = createRequire(import.meta.url)

const HTML_OPTIONS = {
  wordwrap: false,
  limits: { maxDepth: 60, maxInputLength: SOURCE_CHARACTERS },
  selectors: [
    { selector: 'a', options: { ignoreHref: true } },
    { selector: 'img', format: 'skip' },
    ...['h1', 'h2', 'h3', 'h4', 'h5', 'h6'].map((selector) => ({ selector, options: { uppercase: false } }))
  ]
}

/**
 * The readable text of one mail: its subject, an empty line, then the body (the plain part, or the HTML part as text).
 * Headers, attachments, quoted lines, signatures' cryptography, mailing-list footers and encoded data are dropped,
 * e-mail addresses and URLs are masked.
 *
 * @param source an RFC 822 message, optionally after an mbox `From ` line
 * @returns `undefined` for a mail without enough readable text
 */
export async function cleanMail(source: string): Promise<string | undefined> {
  const { simpleParser } = require('mailparser') as MailParser
  // The corpus lost its 8-bit characters to U+FFFD; decoding them in the mail's charset would produce noise.
  const readable = source.slice(0, SOURCE_CHARACTERS).replaceAll('\ufffd', '')
  const mail = await simpleParser(readable, {
    skipHtmlToText: true,
    skipTextToHtml: true,
    skipImageLinks: true,
    skipTextLinks: true
  })
  const plain = mail.text ?? ''
  // Some senders put their HTML where the plain text belongs.
  const markup =
    plain.trim() === '' ? mail.html || '' : /<(html|body|table|font|br)\b/i.test(plain) ? plain : ''
  const body = markup === '' ? plain : htmlText(markup)
  return cleanMailText(mail.subject ?? '', body)
}

/** Cleans a subject and a body that are already text. */
export function cleanMailText(subject: string, body: string): string | undefined {
  const lines = normaliseWhitespace(dropFooters(body)).split('\n').filter(isProse)
  const text = normaliseWhitespace(`${subject.replace(/\s+/g, ' ')}\n\n${lines.join('\n')}`)
  const masked = normaliseWhitespace(dropListFooter(dropLongWords(maskAddresses(text))))
  const letters = masked.replace(/[^A-Za-z]/g, '').length
  const plainCharacters = masked.replace(/[^A-Za-z\s]/g, '').length
  if (letters < MINIMUM_LETTERS || plainCharacters < MINIMUM_PLAIN_SHARE * masked.length) return undefined
  return boundLength(masked)
}

/** Replaces e-mail addresses and URLs (with or without scheme) by `<email>` and `<url>`. */
export function maskAddresses(text: string): string {
  return text
    .replace(/\b(?:https?|ftp|mailto|news|file):[^\s<>"']+/gi, (address) =>
      /^mailto:/i.test(address) ? EMAIL_MASK : URL_MASK
    )
    .replace(/[\w.+=%-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){0,8}/g, EMAIL_MASK)
    .replace(/\bwww\.[^\s<>"']+/gi, URL_MASK)
    .replace(/<(<(?:email|url)>)>/g, '$1')
}

function htmlText(html: string): string {
  const { convert } = require('html-to-text') as HtmlToText
  return convert(html, HTML_OPTIONS)
}

/** Drops cryptographic signatures, and a mailing list's footer with everything after it. */
function dropFooters(body: string): string {
  return body
    .replace(
      /-----BEGIN PGP SIGN(?:ED MESSAGE-----\s*(?:Hash:.*)?|ATURE-----[\s\S]*?(?:-----END PGP SIGNATURE-----|$))/g,
      ''
    )
    .replace(
      /\n[ \t]*(?:_{30,}|-{40,}|={40,})[ \t]*\r?\n[\s\S]{0,400}(?:mailing list|unsubscri|list maintainer)[\s\S]*$/i,
      ''
    )
}

/** Drops the footer below every mail of the Irish lists, which would teach only itself. */
function dropListFooter(masked: string): string {
  return masked.replace(
    /(?:\n[^\n]{0,80}:? *<email>)?\n[^\n]*for \(un\)subscription information[\s\S]{0,60}$/,
    ''
  )
}

/** False for quoted lines, rules and encoded data. */
function isProse(line: string): boolean {
  if (/^\s*(?:>|\|>|[A-Za-z]{1,4}>)/.test(line)) return false
  if (/^\s*On .{5,100} wrote:\s*$/.test(line) || /^\S.{0,80} (?:wrote|said|writes):\s*$/.test(line))
    return false
  if (/^begin [0-7]{3} \S/.test(line)) return false
  return line.trim() === '' || /[A-Za-z]{2}/.test(line)
}

function dropLongWords(text: string): string {
  return text
    .replace(/\S+/g, (word) => (word.length > LONGEST_WORD ? '' : word))
    .replace(/([-_=*~#.])\1{5,}/g, '$1$1$1')
}

/** Cuts at the last line or sentence that fits. */
function boundLength(text: string): string {
  if (text.length <= TEXT_CHARACTERS) return text
  const head = text.slice(0, TEXT_CHARACTERS)
  const end = Math.max(head.lastIndexOf('\n'), head.lastIndexOf('. ') + 1)
  return head.slice(0, end > TEXT_CHARACTERS / 2 ? end : TEXT_CHARACTERS).trim()
}
