/** White space according to Python's `str.strip()`; JavaScript's `trim` uses a different set. */
const WHITE_SPACE =
  '\t\n\u000b\f\r\u001c\u001d\u001e\u001f \u0085\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000'

type Method = (text: string, ...values: readonly unknown[]) => unknown

/**
 * Methods of Python's strings, for templates: those that `@huggingface/jinja` lacks, and those whose argument it
 * ignores.
 */
export const PYTHON_STRING_METHODS: Readonly<Record<string, Method>> = {
  strip: (text, characters) => stripRight(stripLeft(text, characters), characters),
  lstrip: stripLeft,
  rstrip: stripRight,
  removeprefix: (text, prefix) => (text.startsWith(word(prefix)) ? text.slice(word(prefix).length) : text),
  removesuffix: (text, suffix) =>
    word(suffix) !== '' && text.endsWith(word(suffix)) ? text.slice(0, -word(suffix).length) : text,
  capitalize: (text) => {
    const [first = '', ...rest] = text
    return first.toUpperCase() + rest.join('').toLowerCase()
  },
  find: (text, part) => codePoints(text, text.indexOf(word(part))),
  rfind: (text, part) => codePoints(text, text.lastIndexOf(word(part))),
  count: (text, part) => (word(part) === '' ? [...text].length + 1 : text.split(word(part)).length - 1),
  isdigit: (text) => /^\p{Nd}+$/u.test(text),
  isalpha: (text) => /^\p{L}+$/u.test(text),
  isspace: (text) => text !== '' && stripLeft(text) === '',
  splitlines: (text) => text.replace(/\r?\n$|\r$/, '').split(/\r\n|\n|\r/)
}

function stripLeft(text: string, characters?: unknown): string {
  const set = new Set(characters == null ? WHITE_SPACE : word(characters))
  const letters = [...text]
  const start = letters.findIndex((letter) => !set.has(letter))
  return start === -1 ? '' : letters.slice(start).join('')
}

function stripRight(text: string, characters?: unknown): string {
  const set = new Set(characters == null ? WHITE_SPACE : word(characters))
  const letters = [...text]
  const last = letters.findLastIndex((letter) => !set.has(letter))
  return letters.slice(0, last + 1).join('')
}

/** An offset in Python's code points. */
function codePoints(text: string, offset: number): number {
  return offset < 0 ? -1 : [...text.slice(0, offset)].length
}

function word(value: unknown): string {
  if (typeof value === 'string') return value
  throw new Error(
    `a string's method was called with ${value === undefined ? 'nothing' : typeof value}, not a string`
  )
}
