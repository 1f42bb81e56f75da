import assert from 'node:assert/strict'
import { existsSync, mkdirSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import type { Home } from '../../../../src/node/home/home.ts'
import { parseLogLevels } from '../../../../src/node/log/levels.ts'
import { createLogs } from '../../../../src/node/log/logs.ts'
import { RecentLines } from '../../../../src/node/log/recent-lines.ts'
import { RotatingFile } from '../../../../src/node/log/rotating-file.ts'
import { temporaryHome } from '../temporary-home.ts'

describe("a peer's logs", () => {
  let home: Home
  let remove: () => Promise<void>

  beforeEach(async () => {
    ;({ home, remove } = await temporaryHome())
  })
  afterEach(() => remove())

  it('have levels per topic', () => {
    const levels = parseLogLevels('info, network=debug,rounds=error')!
    assert.equal(levels.level, 'info')
    assert.deepEqual(
      [...levels.topics],
      [
        ['network', 'debug'],
        ['rounds', 'error']
      ]
    )
    assert.equal(parseLogLevels('network=debug')!.level, 'info')
    for (const wrong of [
      '',
      'loud',
      'info,warn',
      'network',
      'network=loud',
      'net=info',
      'network=info=warn',
      'info,'
    ])
      assert.equal(parseLogLevels(wrong), undefined, wrong)
    assert.equal(parseLogLevels('network=debug,network=info'), undefined)
  })

  it('write the lines that the level of their topic allows, with the topic', async () => {
    const levels = parseLogLevels('warn,network=debug')!
    const logs = createLogs({ path: home.log, levels, toStandardError: false, maxSize: 1e6, keepFiles: 1 })
    logs.of('network').debug({ a: 1 }, 'seen')
    logs.of('rounds').info({}, 'unseen')
    logs.of('rounds').warn({}, 'seen too')
    const lines = (await readFile(home.log, 'utf8'))
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
    assert.deepEqual(
      lines.map(({ level, topic, msg }) => [level, topic, msg]),
      [
        [20, 'network', 'seen'],
        [40, 'rounds', 'seen too']
      ]
    )
    assert.deepEqual(
      logs.recent.lines().map((line) => JSON.parse(line)),
      lines
    )
  })

  it('rotate when a file is full, keep the configured number of files, and lose no line of those', async () => {
    const file = new RotatingFile(home.log, { maxSize: 30, keepFiles: 2 })
    for (let line = 0; line < 12; line++) file.write(`line number ${line}\n`)
    file.close()
    const read = async (ending: string) => (await readFile(`${home.log}${ending}`, 'utf8')).trim().split('\n')
    const kept = [...(await read('.2')), ...(await read('.1')), ...(await read(''))]
    assert.deepEqual(
      kept,
      Array.from({ length: kept.length }, (_, index) => `line number ${12 - kept.length + index}`)
    )
    assert(kept.length >= 3)
    assert(!existsSync(`${home.log}.3`))
  })

  it('continue the existing file, and keep no old file when configured so', async () => {
    const terms = { maxSize: 30, keepFiles: 0 }
    const first = new RotatingFile(home.log, terms)
    first.write('x'.repeat(28))
    first.close()
    const second = new RotatingFile(home.log, terms)
    second.write('fresh\n')
    second.close()
    assert.equal(await readFile(home.log, 'utf8'), 'fresh\n')
    assert(!existsSync(`${home.log}.1`))
  })

  it('drop lines while the disk refuses, and resume afterwards', async () => {
    const file = new RotatingFile(`${home.folder}/later/daemon.log`, { maxSize: 100, keepFiles: 1 })
    file.write('lost\n')
    mkdirSync(`${home.folder}/later`)
    file.write('kept\n')
    assert.equal(await readFile(`${home.folder}/later/daemon.log`, 'utf8'), 'kept\n')
    file.close()
  })

  it('keep a bounded number of recent lines of bounded length', () => {
    const recent = new RecentLines()
    for (let line = 0; line < 1_500; line++) recent.write(`${line}\n`)
    recent.write(`${'x'.repeat(20_000)}\n`)
    assert.equal(recent.lines().length, 1_000)
    assert.equal(recent.lines().at(-1), '1499')
  })
})
