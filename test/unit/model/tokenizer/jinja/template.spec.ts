import assert from 'node:assert/strict'
import { compileJinja } from '../../../../../src/model/tokenizer/jinja/template.ts'

const DAY = new Date('2026-03-07T08:05:09Z')
const render = (source: string, variables: Record<string, unknown> = {}): string =>
  compileJinja(source).render(variables, () => DAY)

describe('Jinja templates', () => {
  it("provide Python's string methods, with their arguments", () => {
    // The results of CPython 3.11 for the same expressions.
    const expected: [string, string][] = [
      ["'\\n\\nab\\n'.strip('\\n')", 'ab'],
      ["'\\n\\n ab \\n'.lstrip('\\n')", ' ab \n'],
      ["'\\n ab \\n\\n'.rstrip('\\n')", '\n ab '],
      ["'xyabyx'.strip('xy')", 'ab'],
      ["'  ab  '.strip()", 'ab'],
      ["'<think>a'.removeprefix('<think>')", 'a'],
      ["'a</s>'.removesuffix('</s>')", 'a'],
      ["'a'.removesuffix('')", 'a'],
      ["'wHALE'.capitalize()", 'Whale'],
      ["'wHALE' | capitalize", 'Whale'],
      ["' ab ' | trim", 'ab'],
      ["'a<b>c'.find('<b>')", '1'],
      ["'abcabc'.rfind('b')", '4'],
      ["'abcabc'.count('bc')", '2'],
      ["'a\\nb\\n'.splitlines() | length", '2'],
      ["'a</think>\\n\\nb'.split('</think>')[-1].lstrip('\\n')", 'b']
    ]
    for (const [expression, text] of expected) assert.equal(render(`{{ ${expression} }}`), text, expression)
    assert.equal(render("{{ '\ufeffa\u0085'.strip() }}"), '\ufeffa')
    assert.equal(render('{{ m.content.strip() }}', { m: { content: ' a ' } }), 'a')
    // An object's own key of that name takes precedence over the method.
    assert.throws(() => render('{{ m.strip() }}', { m: { strip: 'a' } }), /not a function/)
    assert.throws(() => render("{{ 'a'.strip(3) }}"), /not a string/)
  })

  it('format dates in UTC and in English', () => {
    const written: [string, string][] = [
      ['%d %b %Y', '07 Mar 2026'],
      ['%B %-d, %Y', 'March 7, 2026'],
      ['%A %Y-%m-%d', 'Saturday 2026-03-07'],
      ['%H:%M:%S %Z', '08:05:09 UTC'],
      ['%I %p %j %%', '08 AM 066 %']
    ]
    for (const [format, text] of written) assert.equal(render(`{{ strftime_now('${format}') }}`), text)
    assert.equal(render("{% if strftime_now is defined %}{{ strftime_now('%y') }}{% endif %}"), '26')
    assert.throws(() => render("{{ strftime_now('%Q') }}"), /unknown date format %Q/)
  })

  it('ignore the marks around assistant text', () => {
    assert.equal(
      render('{% for m in messages %}{%- generation -%} {{ m }} {%- endgeneration -%}{% endfor %}', {
        messages: ['a', 'b']
      }),
      'ab'
    )
  })

  it('write values as Python does', () => {
    // What Jinja 3.1 writes for the same expressions.
    const written: [string, string][] = [
      ['true', 'True'],
      ['none', 'None'],
      ['m.missing', ''],
      ['1.0', '1.0'],
      ["[1, 'a', none, true]", "[1, 'a', None, True]"],
      ["{'a': [], 'b': {'c': 1.5}}", "{'a': [], 'b': {'c': 1.5}}"],
      ["[\"it's\", 'say \"no\"', 'both \\' and \"']", `["it's", 'say "no"', 'both \\' and "']`],
      ["'a' ~ true ~ none ~ [1]", 'aTrueNone[1]'],
      ["[true, none, 1] | join(', ')", 'True, None, 1'],
      ['[1, none] | string', '[1, None]'],
      ['none | string', 'None'],
      ["['a\\nb\\t\\\\', 'ü\u200b']", "['a\\nb\\t\\\\', 'ü\\u200b']"],
      ["('a', 1)", "('a', 1)"]
    ]
    for (const [expression, text] of written)
      assert.equal(render(`{{ ${expression} }}`, { m: {} }), text, expression)
    assert.equal(
      render('{% for k, v in t.items() %}{{ k }}: {{ v }};{% endfor %}{{ t }}', {
        t: { name: 'f', required: ['x'], strict: true, default: null }
      }),
      "name: f;required: ['x'];strict: True;default: None;{'name': 'f', 'required': ['x'], 'strict': True, 'default': None}"
    )
    // No output of a statement is a value.
    assert.equal(render('{% set a = 1 %}{% if false %}x{% endif %}{% for i in [] %}{% endfor %}.'), '.')
  })

  it('raise the exceptions of the template', () => {
    assert.throws(() => render("{{ raise_exception('no system role') }}"), /no system role/)
    assert.equal(render('{% for i in range(2, 8, 3) %}{{ i }},{% endfor %}'), '2,5,')
  })
})
