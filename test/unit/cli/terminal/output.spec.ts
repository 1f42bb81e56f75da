import assert from 'node:assert/strict'
import fc from 'fast-check'
import { printError, printProgress, printResult, printText } from '../../../../src/cli/terminal/output.ts'
import { printableLine } from '../../../../src/cli/terminal/printable.ts'
import { table } from '../../../../src/cli/terminal/table.ts'

/** What `print` writes to both streams. */
function written(print: () => void): string {
  const { stdout, stderr } = process
  const writes = [stdout.write, stderr.write] as const
  let all = ''
  const keep = (chunk: string | Uint8Array): boolean => {
    all += String(chunk)
    return true
  }
  stdout.write = keep
  stderr.write = keep
  try {
    print()
  } finally {
    ;[stdout.write, stderr.write] = writes
  }
  return all
}

const hostile = 'a\u001b]0;owned\u0007\r\u009b2J\u007f\u202eb'
const shown = 'a\\u001b]0;owned\\u0007\\u000d\\u009b2J\\u007f\\u202eb'

describe('terminal output', () => {
  it('escapes terminal control characters', () => {
    assert.equal(
      written(() => printResult({}, {}, () => hostile)),
      `${shown}\n`
    )
    assert.equal(
      written(() => printProgress(hostile)),
      `${shown}\n`
    )
    assert.equal(
      written(() => printError(new Error(hostile))),
      `error: ${shown}\n`
    )
    assert.equal(
      written(() => printText(hostile)),
      shown
    )
  })

  it('adds advice to a bare system error', () => {
    for (const [code, advice] of [
      ['ENOSPC', 'the disk is full: free some space'],
      ['EROFS', 'the disk is read-only: choose another folder, or mount it for writing']
    ]) {
      const bare = Object.assign(new Error(`${code}: …, open '/h/a'`), {
        code,
        syscall: 'open',
        path: '/h/a'
      })
      assert.equal(
        written(() => printError(bare)),
        `error: cannot use /h/a: ${advice}\n`
      )
    }
    const other = Object.assign(new Error('EEXIST: …'), { code: 'EEXIST', syscall: 'open' })
    assert.equal(
      written(() => printError(other)),
      'error: EEXIST: …\n'
    )
  })

  it('leaves every other text unchanged', () => {
    const plain = 'Zürich — 東京 👩‍🔬\tx\n  second line'
    assert.equal(
      written(() => printText(plain)),
      plain
    )
  })

  it('contains no control characters but line feeds and tabs, whatever is printed', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) =>
        assert.doesNotMatch(
          written(() => printResult({}, {}, () => text)),
          /[^\P{Cc}\n\t]/u
        )
      )
    )
  })

  it('keeps a table cell on its line', () => {
    assert.equal(
      table([{ title: 'name', of: (name: string) => name }], ['a\nb', '\u001b[2J']),
      'name\na\\u000ab\n\\u001b[2J'
    )
    assert.equal(printableLine('a\tb'), 'a\\u0009b')
  })

  it('is not escaped with --json', () => {
    assert.equal(
      written(() => printResult({ name: hostile }, { json: true }, () => '')),
      `${JSON.stringify({ name: hostile })}\n`
    )
  })
})
