import assert from 'node:assert/strict'
import { isOlder } from '../../../../../src/cli/commands/doctor/machine.ts'
import { doctorSections, wrap } from '../../../../../src/cli/commands/doctor/sections.ts'
import { ALL_EXECUTORS } from '../../../../../src/model/index.ts'

interface Found {
  executor: string
  device: string
  works: boolean
  default: boolean
  version?: string
  reason?: string
  install?: string
}

describe('loam doctor', function () {
  this.timeout(120_000)

  it('lists working executors, the default, and how to install the others, in 80 columns', async () => {
    const section = doctorSections.find(({ name }) => name === 'executors')!
    const { result, text, actions } = await section.examine({ home: '.', settings: {} })
    const found = result as Found[]
    assert.deepEqual(
      found.map(({ executor, device }) => ({ executor, device })),
      ALL_EXECUTORS
    )
    const of = (executor: string, device: string) =>
      found.find((each) => each.executor === executor && each.device === device)!
    for (const each of [of('onnxruntime', 'cpu'), of('onnxruntime-web', 'wasm'), of('tfjs', 'wasm')]) {
      assert.ok(each.works, each.reason)
      assert.match(each.version!, /^\d+\.\d+\.\d+$/)
    }
    assert.deepEqual(
      found.filter((each) => each.default),
      [of('onnxruntime', 'cpu')]
    )
    assert.deepEqual(actions, [])
    for (const each of found.filter(({ works }) => !works)) {
      assert.ok(each.reason)
      assert.ok(text.replace(/\s+/g, ' ').includes(each.reason), each.reason)
      if (each.install) assert.ok(text.replace(/\s+\\?\s*/g, ' ').includes(each.install), each.install)
    }
    for (const line of text.split('\n')) assert.ok(line.length <= 80, line)
  })

  it('describes the machine, even before the home exists', async () => {
    const section = doctorSections.find(({ name }) => name === 'machine')!
    const { result, text } = await section.examine({ home: '/no/such/home', settings: {} })
    const machine = result as {
      node: string
      cores: number
      memory: { totalBytes: number; freeBytes: number }
      disk: { folder: string; freeBytes: number }
    }
    assert.equal(machine.node, process.versions.node)
    assert.ok(machine.cores >= 1 && machine.disk.freeBytes > 0)
    assert.ok(machine.memory.freeBytes <= machine.memory.totalBytes)
    assert.equal(machine.disk.folder, '/')
    for (const line of text.split('\n')) assert.ok(line.length <= 80, line)
  })

  it('tells an older version from a newer one', () => {
    for (const [found, needed] of [
      ['18.20.1', '20.19'],
      ['20.9.0', '20.19']
    ] as const)
      assert.ok(isOlder(found, needed))
    for (const found of ['20.19.0', '20.20.2', '24.0.0']) assert.ok(!isOlder(found, '20.19'))
  })

  it('wraps at spaces without losing words', () => {
    const text = Array.from({ length: 60 }, (_, index) => 'word'.repeat((index % 4) + 1)).join(' ')
    const lines = wrap(text, '  ').split('\n')
    assert.ok(lines.length > 3 && lines.every((line) => line.length <= 80 && line.startsWith('  ')))
    assert.equal(lines.map((line) => line.trim()).join(' '), text)
  })
})
