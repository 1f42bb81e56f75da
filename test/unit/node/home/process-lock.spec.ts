import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import type { Home } from '../../../../src/node/home/home.ts'
import { lockHome } from '../../../../src/node/home/process-lock.ts'
import { temporaryHome } from '../temporary-home.ts'

describe('the lock of a home', () => {
  let home: Home
  let remove: () => Promise<void>

  beforeEach(async () => {
    ;({ home, remove } = await temporaryHome())
  })
  afterEach(() => remove())

  it('records its process, refuses a second one, and leaves daemon.pid behind', async () => {
    const release = await lockHome(home)
    assert.equal(await readFile(home.pid, 'utf8'), `${process.pid}\n`)
    if (process.platform === 'linux')
      await assert.rejects(lockHome(home), new RegExp(`in use by the daemon with process id ${process.pid}`))
    await release()
    assert.equal(await readFile(home.pid, 'utf8'), `${process.pid}\n`)
    assert(!existsSync(home.lock))
    await (await lockHome(home))()
  })

  it('is given to exactly one of many concurrent processes, even after a crash', async function () {
    if (process.platform !== 'linux') this.skip()
    const deads = [undefined, '{"pid":1,"started":"another boot/7"}\n', '']
    for (const dead of Array.from({ length: 3 }, () => deads).flat()) {
      if (dead !== undefined) await writeFile(home.lock, dead)
      const taken = await Promise.allSettled(Array.from({ length: 6 }, () => lockHome(home)))
      const releases = taken.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []))
      assert.equal(releases.length, 1)
      await releases[0]!()
    }
    assert.deepEqual(
      (await readdir(home.folder)).filter((name) => name.startsWith('daemon.lock')),
      []
    )
  })

  it('is taken from a process that has exited', async () => {
    const child = spawn(process.execPath, ['-e', ''])
    await once(child, 'exit')
    await writeFile(home.lock, JSON.stringify({ pid: child.pid, started: null }))
    await lockHome(home)
    assert.equal(JSON.parse(await readFile(home.lock, 'utf8')).pid, process.pid)
  })

  it('is not taken from a running process, but from another one with the same process id', async function () {
    if (process.platform !== 'linux') this.skip()
    await writeFile(home.lock, JSON.stringify({ pid: process.ppid, started: null }))
    await assert.rejects(lockHome(home), /in use by the daemon/)
    await writeFile(home.lock, JSON.stringify({ pid: process.ppid, started: 'another boot/7' }))
    await lockHome(home)
  })
})
