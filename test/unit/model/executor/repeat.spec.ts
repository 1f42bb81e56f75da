import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { EXECUTORS_HERE, titleOf } from './executors.ts'

/** A process that does not exit by itself is killed after this time, which fails the test. */
const END_MS = 60_000

async function digestOf(...args: string[]): Promise<string> {
  const entry = fileURLToPath(new URL('./train-digest.js', import.meta.url))
  const { stdout } = await promisify(execFile)(process.execPath, [entry, ...args], { timeout: END_MS })
  return stdout
}

describe('a training run in a separate process', function () {
  this.timeout(3 * END_MS)

  for (const executor of EXECUTORS_HERE) {
    it(`${titleOf(executor)}: reproduces the adapter with more threads, and exits by itself`, async () => {
      const digests = []
      for (const threads of ['1', '2']) digests.push(await digestOf(executor.name, executor.device, threads))
      assert.match(digests[0]!, /^[0-9a-f]{64}$/)
      assert.equal(digests[1], digests[0])
    })
  }
})
