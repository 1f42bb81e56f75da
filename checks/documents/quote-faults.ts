import { codeOf, type Document } from './document.ts'
import type { Fault } from './fault.ts'
import type { House } from './house.ts'

/** Headers of table columns that quote a program's output. */
const QUOTING_HEADS: ReadonlySet<string> = new Set(['message', 'what you see', 'reason'])
/** Names that are searched for verbatim: protocols, metrics, environment variables, routes of the control API. */
const NAMES = [/^\/loam\/[a-z-]+\/\d+$/, /^loam_[a-z_]+$/, /^LOAM_[A-Z_]+$/, /^\/v1\/[a-z]+/]
/** Placeholders in a quoted message: `…`, `N`, `HOME`, `R−1`. */
const PLACEHOLDER = /…|<[^>]*>|\b\d+\b|\b[A-Z](?:−1)?\b|\b[A-Z]{2,}\b/
/** A shorter quote cannot be distinguished from other text. */
const LEAST_LETTERS = 6

/** `test/….spec.ts` (what it shows): words of a test's name. */
const NAMED_TEST = /`(test\/[\w./-]+\.spec\.ts)` \(([^)`]+)\)/g

/** Names of tests that documents quote and the test file does not have. */
export function testNameFaults({ path, text }: Document, { tests }: House): Fault[] {
  return [...text.matchAll(NAMED_TEST)].flatMap(({ 1: file, 2: name, index }) => {
    const test = tests.get(file!)
    if (test === undefined || test.includes(name!)) return []
    return [{ path, line: text.slice(0, index).split('\n').length, what: `${file} has no test "${name}"` }]
  })
}

/** Messages, protocols, metrics and routes that documents quote and no source has. */
export function quoteFaults({ path, spans, tables }: Document, { sources }: House): Fault[] {
  const text = [...sources.values()].map(joinStrings).join('\n')
  const names = spans.filter(({ text: name }) => NAMES.some((pattern) => pattern.test(name)))
  const missing = names
    .map(({ text: name, line }) => ({
      name: NAMES.map((pattern) => pattern.exec(name)?.[0]).find(Boolean)!,
      line
    }))
    .filter(({ name }) => !text.includes(name))
    .map(({ name, line }) => ({ path, line, what: `no source has ${name}` }))
  const quotes = tables.flatMap(({ header, rows, line }) =>
    QUOTING_HEADS.has(header[0] ?? '')
      ? rows.flatMap((row, index) => codeOf(row[0]!).map((quote) => ({ quote, line: line + 2 + index })))
      : []
  )
  return [
    ...missing,
    ...quotes
      .filter(({ quote }) => !isQuoted(quote, text))
      .map(({ quote, line }) => ({ path, line, what: `no source says ${JSON.stringify(quote)}` }))
  ]
}

/** One string where `+` joins several over lines. */
function joinStrings(source: string): string {
  return source.replace(/['"`]\s*\+\s*['"`]/g, '').replace(/\\(['"`])/g, '$1')
}

/** Whether the words of a quote stand in the source in their order, with nothing long between them. */
export function isQuoted(quote: string, source: string): boolean {
  const parts = quote.split(new RegExp(PLACEHOLDER, 'g')).filter((part) => /\w/.test(part))
  if (parts.join('').replace(/\W/g, '').length < LEAST_LETTERS) return true
  const pattern = parts.map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')).join('[^\\n]{0,80}?')
  return new RegExp(pattern).test(source)
}
