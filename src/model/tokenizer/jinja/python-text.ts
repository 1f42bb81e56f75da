/** A value of a template in the library's representation. */
export interface Value {
  readonly type: string
  readonly value: unknown
}

/** A value as a template writes it: Python's `str`, and nothing for what is undefined. */
export function pythonText(value: Value): string {
  if (value.type === 'StringValue') return value.value as string
  return value.type === 'UndefinedValue' ? '' : pythonSource(value)
}

/** Python's `repr`. */
function pythonSource(value: Value): string {
  const parts = (): string[] => (value.value as Value[]).map(pythonSource)
  switch (value.type) {
    case 'StringValue':
      return quoted(value.value as string)
    case 'NullValue':
      return 'None'
    case 'BooleanValue':
      return value.value === true ? 'True' : 'False'
    case 'ArrayValue':
      return `[${parts().join(', ')}]`
    case 'TupleValue':
      return `(${parts().join(', ')}${parts().length === 1 ? ',' : ''})`
    case 'ObjectValue': {
      const entries = [...(value.value as Map<string, Value>)]
      return `{${entries.map(([key, part]) => `${quoted(key)}: ${pythonSource(part)}`).join(', ')}}`
    }
    default:
      return String(value)
  }
}

/** Characters that Python does not print. */
const UNPRINTED = /[\p{C}\p{Z}\\]/gu
const ESCAPES: Readonly<Record<string, string>> = {
  ' ': ' ',
  '\\': '\\\\',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t'
}

function quoted(text: string): string {
  const escaped = text.replace(UNPRINTED, (letter) => ESCAPES[letter] ?? numbered(letter))
  if (!escaped.includes("'")) return `'${escaped}'`
  return escaped.includes('"') ? `'${escaped.replaceAll("'", "\\'")}'` : `"${escaped}"`
}

function numbered(letter: string): string {
  const code = letter.codePointAt(0)!
  const [mark, digits] = code < 0x100 ? ['x', 2] : code < 0x1_0000 ? ['u', 4] : ['U', 8]
  return `\\${mark}${code.toString(16).padStart(digits as number, '0')}`
}
