import assert from 'node:assert/strict'
import { requireExecutor } from '../../../../src/node/config/require-executor.ts'

describe("the peer's check of its executor", function () {
  this.timeout(60_000)

  it('passes executors that work here, and an unset one', async () => {
    await requireExecutor({})
    await requireExecutor({ executor: 'onnxruntime-web' })
    await requireExecutor({ executor: 'tfjs', device: 'cpu' })
    // Its first devices need a download; the next one works.
    await requireExecutor({ executor: 'tfjs' })
  })

  it('refuses a device that the executor does not have', async () => {
    await assert.rejects(requireExecutor({ executor: 'tfjs', device: 'webgpu' }), {
      name: 'PeerError',
      message: /tfjs has no device webgpu/
    })
  })

  it('reports what is missing and how to install it', async function () {
    const error: unknown = await requireExecutor({ device: 'native' }).catch((reason) => reason)
    // On a machine that has it, nothing is missing.
    if (error === undefined) return this.skip()
    assert.match(
      (error as Error).message,
      /tfjs on native: @tensorflow\/tfjs-node is not installed.*: npm install/
    )
  })
})
