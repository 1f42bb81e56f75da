import { loadDomain } from '../../src/data/index.ts'
import { createSeededRandom, type SeededRandom } from '../../src/model/index.ts'

/** Texts in which tokenizers differ. */
const HARD = [
  "I'll say it's HERE'S what they'VE done, DON'T you?",
  '12345 1,234.56 2026-03-07 0x1F 1e-9 ٣٤٥ ½ ²',
  '  leading, trailing  \n\n\n  and\tinner\t\tspaces   \r\n',
  'def f(x):\n    return {"a": [1, 2, 3]}  # done\n\n\n',
  'Größe, naïve façade, Übermut – “quoted” … done',
  'Ελληνικά, русский текст, עברית, العربية, हिन्दी, ไทย',
  '中文分词，日本語のテキスト。한국어 문장입니다.',
  '👩‍👩‍👧‍👦 🏴‍☠️ 🇩🇪 emoji🙂joined',
  'CamelCaseWords and snake_case_names, HTTPServer2Go',
  'https://example.org/a/b?c=d&e=f#g mail@example.org',
  '////// ------ ===== ***** ....... !!!??? ((((',
  'a/b\\c|d~e`f^g',
  '\u00a0no-break\u2003em space\u200bzero width',
  'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa',
  ' ',
  '\n',
  'x'
]
const ALPHABETS = [
  'abc ABC 019 .,;:!?\'"-\n',
  'äöüßéèçñøåÆŒ αβγ жзи \t',
  '漢字かな交じり文、한글 🙂🎈 ',
  '{}[]()<>/\\|&%$#@*+=~^`_ \n\n  '
]

/** Texts to compare tokenizers on: hard ones, drawn ones and pieces of the testnet's domains, the same each time. */
export async function judgedTexts(count: number): Promise<string[]> {
  const random = createSeededRandom(16)
  const drawn = Array.from({ length: Math.floor(count / 3) }, (_, index) =>
    drawnText(random, ALPHABETS[index % ALPHABETS.length]!)
  )
  const domains = await Promise.all((['moby-dick', 'newsletters'] as const).map((name) => loadDomain(name)))
  const pieces = domains.flatMap(({ documents }) =>
    documents.flatMap(({ text }) => text.match(/[\s\S]{1,400}/g) ?? [])
  )
  const step = Math.max(1, Math.floor(pieces.length / count))
  const real = pieces.filter((_, index) => index % step === 0)
  return [...HARD, ...drawn, ...real].slice(0, count)
}

function drawnText(random: SeededRandom, alphabet: string): string {
  const letters = [...alphabet]
  const length = 1 + Math.floor(random.uniform() * 60)
  return Array.from({ length }, () => letters[Math.floor(random.uniform() * letters.length)]).join('')
}
