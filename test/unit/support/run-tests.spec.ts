import assert from 'node:assert/strict'
import { PassThrough } from 'node:stream'
import { Relay } from '../../support/output-relay.ts'
import { renderProcesses, renderSummary, sumCounts } from '../../support/test-counts.ts'

describe('the summary of several runs', () => {
  const one = { passed: 3, failed: 1, skipped: 0, milliseconds: { '/root/a.spec.js': 1_500 } }

  it('sums their counts, and lists the slowest spec files first', () => {
    const sum = sumCounts([
      one,
      { passed: 4, failed: 0, skipped: 2, milliseconds: { '/root/b.spec.js': 20_000 } }
    ])
    const lines = renderSummary(sum, '/root').trimEnd().split('\n')
    assert.deepEqual(lines.slice(-5), [
      'Slowest spec files:',
      '   20.0 s  b.spec.js',
      '    1.5 s  a.spec.js',
      '',
      '7 passed, 1 failed, 2 skipped'
    ])
  })

  it('omits skipped tests if there are none, and lists fifteen files at most', () => {
    const milliseconds = Object.fromEntries(
      Array.from({ length: 40 }, (_, index) => [`/root/${index}.spec.js`, index])
    )
    const text = renderSummary({ ...one, milliseconds }, '/root')
    assert.equal(text.match(/\.spec\.js/g)!.length, 15)
    assert(text.endsWith('\n3 passed, 1 failed\n'))
  })
})

describe('the times of several runs', () => {
  it('are listed with the longest first, and what they computed is summed where it is known', () => {
    const text = renderProcesses([
      { name: 'unit/', milliseconds: 1_000, processorMs: 900 },
      { name: 'e2e/', milliseconds: 61_040, processorMs: 30_000 },
      { name: 'sim/', milliseconds: 2_000, processorMs: undefined }
    ])
    assert.deepEqual(text.trim().split('\n'), [
      'Processes:',
      '   61.0 s    30.0 s computed  e2e/',
      '    2.0 s   sim/',
      '    1.0 s     0.9 s computed  unit/',
      '   30.9 s computed by all'
    ])
  })
})

describe('the output of several runs', () => {
  it('is complete and in order, the first as it is written', () => {
    const target = new PassThrough({ encoding: 'utf8' })
    const relay = new Relay(target)
    const [first, second, third] = [relay.open(), relay.open(), relay.open()]
    const read = () => (target.read() as string | null) ?? ''
    first.write(Buffer.from('1'))
    second.write(Buffer.from('2'))
    third.write(Buffer.from('3'))
    third.end()
    assert.equal(read(), '1')
    first.write(Buffer.from('1'))
    first.end()
    assert.equal(read(), '12')
    second.write(Buffer.from('2'))
    second.end()
    assert.equal(read(), '23')
  })
})
