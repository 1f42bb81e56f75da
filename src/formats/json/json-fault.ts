/** Position at which a text stops being JSON, and why. */
export interface JsonFault {
  /** From 1 on. */
  readonly line: number
  /** From 1 on, in UTF-16 code units. */
  readonly column: number
  readonly reason: string
}

type Expected = 'value' | 'value or ]' | 'key' | 'key or }' | ':' | ', or end' | 'nothing'

/**
 * Finds where `text` stops being JSON; undefined if it is valid. Node's own messages do not always include the
 * position.
 */
export function jsonFault(text: string): JsonFault | undefined {
  const found = firstFault(text)
  if (found === undefined) return undefined
  const before = text.slice(0, found.index)
  const line = before.split('\n').length
  return { line, column: found.index - before.lastIndexOf('\n'), reason: found.reason }
}

interface Place {
  readonly index: number
  readonly reason: string
}

function firstFault(text: string): Place | undefined {
  const open: ('{' | '[')[] = []
  let expected: Expected = 'value'
  let at = 0
  const afterValue = (): Expected => (open.length === 0 ? 'nothing' : ', or end')
  for (;;) {
    while (' \t\r\n'.includes(text[at] ?? '#')) at++
    const character = text[at]
    const fault = (reason: string): Place => ({ index: at, reason })
    if (character === undefined) return expected === 'nothing' ? undefined : fault(atEnd(open, expected))
    if (expected === 'nothing') return fault(`${shown(character)} after the end of the JSON value`)
    if ((character === '}' || character === ']') && closes(character, open.at(-1), expected)) {
      open.pop()
      at++
      expected = afterValue()
    } else if (expected === ', or end') {
      if (character !== ',')
        return fault(`a comma or ${open.at(-1) === '{' ? '}' : ']'} is missing before ${shown(character)}`)
      at++
      expected = open.at(-1) === '{' ? 'key' : 'value'
    } else if (expected === ':') {
      if (character !== ':') return fault(`a colon is missing before ${shown(character)}`)
      at++
      expected = 'value'
    } else if (expected === 'key' || expected === 'key or }') {
      if (character !== '"')
        return fault(`expected a key in double quotes, found ${shown(character)}${trailing(character)}`)
      const end = endOfString(text, at)
      if (typeof end !== 'number') return end
      at = end
      expected = ':'
    } else if (character === '{' || character === '[') {
      open.push(character)
      at++
      expected = character === '{' ? 'key or }' : 'value or ]'
    } else {
      const end = character === '"' ? endOfString(text, at) : endOfScalar(text, at)
      if (typeof end !== 'number') return end
      at = end
      expected = afterValue()
    }
  }
}

function closes(character: '}' | ']', open: '{' | '[' | undefined, expected: Expected): boolean {
  if (character === '}') return open === '{' && (expected === 'key or }' || expected === ', or end')
  return open === '[' && (expected === 'value or ]' || expected === ', or end')
}

function atEnd(open: readonly string[], expected: Expected): string {
  if (open.length === 0) return 'the text is empty'
  return expected === ':'
    ? 'the text ends before a colon'
    : `the text ends inside ${open.at(-1) === '{' ? 'an object' : 'a list'}`
}

function trailing(character: string): string {
  return character === '}' ? ' (a comma after the last entry?)' : ''
}

/** The index after a string that begins at `start`. */
function endOfString(text: string, start: number): number | Place {
  for (let at = start + 1; ; at++) {
    const character = text[at]
    if (character === undefined || character === '\n')
      return { index: start, reason: 'the string that begins here has no closing quote' }
    if (character === '"') return at + 1
    if (character < ' ')
      return { index: at, reason: `a string holds the control character ${shown(character)}` }
    if (character !== '\\') continue
    const sequence = /^\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/.exec(text.slice(at, at + 6))
    if (sequence === null) {
      const wrong = text.slice(at, at + 2)
      return {
        index: at,
        reason: `${wrong} is not a JSON escape: write a backslash as \\\\, or paths with /`
      }
    }
    at += sequence[0].length - 1
  }
}

/** The index after a number, true, false or null. */
function endOfScalar(text: string, start: number): number | Place {
  const [word = ''] = /^[^\s,:{}[\]"]*/.exec(text.slice(start, start + 400)) ?? []
  if (/^(?:true|false|null|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?)$/.test(word))
    return start + word.length
  const found = word === '' ? text[start]! : word
  return {
    index: start,
    reason: `expected a value, found ${shown(found)}${found === "'" ? ' (strings need double quotes)' : ''}`
  }
}

function shown(text: string): string {
  return JSON.stringify(text.slice(0, 20))
}
