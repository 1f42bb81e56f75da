import assert from 'node:assert/strict'
import {
  ALL_EXECUTORS,
  candidatesFor,
  chooseExecutor,
  createExecutor,
  EXECUTOR_DEVICES,
  EXECUTOR_NAMES,
  ExecutorUnavailableError,
  requireWorking
} from '../../../../src/model/index.ts'

describe('the choice of an executor', () => {
  it('defaults to the CPU and the native library', async () => {
    const { name, device } = await chooseExecutor()
    assert.deepEqual([name, device], ['onnxruntime', 'cpu'])
    assert.deepEqual(candidatesFor({ executor: 'onnxruntime' }), [{ executor: 'onnxruntime', device: 'cpu' }])
    assert.deepEqual(candidatesFor({})[1], { executor: 'onnxruntime-web', device: 'wasm' })
  })

  it('finds the first executor with the requested device', () => {
    const executors = (device: 'cpu' | 'wasm' | 'cuda' | 'webgpu' | 'native') =>
      candidatesFor({ device }).map(({ executor }) => executor)
    assert.deepEqual(executors('cpu'), ['onnxruntime', 'tfjs'])
    assert.deepEqual(executors('wasm'), ['onnxruntime-web', 'tfjs'])
    assert.deepEqual(executors('cuda'), ['onnxruntime', 'tfjs'])
    assert.deepEqual(executors('webgpu'), ['onnxruntime'])
    assert.deepEqual(executors('native'), ['tfjs'])
  })

  it('refuses an executor without the requested device, and lists those it has', () => {
    for (const executor of EXECUTOR_NAMES) {
      for (const { device } of ALL_EXECUTORS) {
        const known = (EXECUTOR_DEVICES[executor] as readonly string[]).includes(device)
        const choose = () => candidatesFor({ executor, device })
        if (known) assert.deepEqual(choose(), [{ executor, device }])
        else assert.throws(choose, new RegExp(`${executor} has no device ${device}: it has .*loam doctor`))
      }
    }
  })

  it('skips executors that are not installed silently, unless requested', async () => {
    const notes: string[] = []
    const { name, device } = await chooseExecutor({
      executor: 'tfjs',
      onFallback: (reason) => notes.push(reason)
    })
    assert.equal(name, 'tfjs')
    assert.notEqual(device, 'cpu')
    assert.deepEqual(notes, [])
  })

  it('reports what is missing and the command that installs it', async function () {
    const native = createExecutor({ executor: 'tfjs', device: 'native' })
    const error: unknown = await requireWorking(native).catch((reason) => reason)
    // On a machine that has it, nothing is missing.
    if (error === undefined) return this.skip()
    assert.ok(error instanceof ExecutorUnavailableError)
    assert.match(error.message, /tfjs-node is not installed.*npm install .*@tensorflow\/tfjs-node@/)
    assert.match(error.install!, /^npm install /)
    await assert.rejects(chooseExecutor({ device: 'native' }), { name: 'ExecutorUnavailableError' })
  })
})
