import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import {
  adapterTensors,
  type LoraAdapter,
  type LoraPair,
  PEFT_WEIGHTS_FILE
} from '../../../../../../src/adapter/index.ts'
import { encodeSafetensors } from '../../../../../../src/formats/index.ts'
import { writePeftFolder } from '../../../../../../src/node/export/peft-files.ts'
import { roundFiles } from '../../../../../../src/node/home/home.ts'
import { until } from '../../../../../support/until.ts'
import { never, trainerSuite } from '../training-home.ts'

const READY = { type: 'ready', contract: 1, name: 'other', version: '1' }

/** Factors of a module of the shipped model. */
function pair(module: string, changes: Partial<LoraPair> = {}): LoraPair {
  const shape = { rank: 2, alpha: 4, inFeatures: 128, outFeatures: 128, ...changes }
  const { rank, inFeatures, outFeatures } = shape
  return {
    module,
    ...shape,
    A: new Float32Array(rank * inFeatures).fill(0.01),
    B: new Float32Array(outFeatures * rank).fill(0.01),
    ...changes
  }
}

/** Whether a process exists and has not exited. */
function isRunning(pid: string): boolean {
  try {
    return !readFileSync(`/proc/${pid}/stat`, 'utf8').includes(') Z ')
  } catch {
    return false
  }
}

describe('a trainer that breaks the contract', function () {
  this.timeout(60_000)
  const suite = trainerSuite()
  const { trainer } = suite
  let made = 0

  /** A trainer that is ready, then runs `body` for each request `r`; `say` answers. */
  const acts = async (body: string, ready: object | string = READY): Promise<string> => {
    const code = `
      import { createInterface } from 'node:readline'
      const say = (answer) => console.log(typeof answer === 'string' ? answer : JSON.stringify(answer))
      say(${JSON.stringify(ready)})
      for await (const line of createInterface({ input: process.stdin })) { const r = JSON.parse(line); ${body} }`
    const script = join(suite.home.folder, `trainer-${++made}.mjs`)
    await writeFile(script, code)
    return `${process.execPath} ${script}`
  }
  const train = (command: string, signal = never) =>
    trainer.train(
      suite.job({ external: { trainer: command, deadline: Date.now() + 60_000 } }),
      () => {},
      signal
    )
  /** A trainer that gives an adapter. */
  const gives = async (adapter: LoraAdapter, rsLora = false): Promise<string> => {
    const folder = join(suite.home.folder, `adapter-${++made}`)
    await writePeftFolder(folder, adapter, 'base', 'F32', rsLora)
    return acts(`say({ type: 'result', id: r.id, folder: ${JSON.stringify(folder)}, steps: 1 })`)
  }
  /** The modules of the job, all good. */
  const good = (changes: Partial<LoraPair> = {}) => [
    pair('model.layers.0.self_attn.q_proj', changes),
    pair('model.layers.1.self_attn.v_proj', { outFeatures: 64, ...changes })
  ]

  const refused: Readonly<Record<string, [() => Promise<string>, RegExp]>> = {
    'ends at once': [
      async () => "echo 'CUDA is not there' >&2; exit 7",
      /exit code 7\n {2}CUDA is not there/
    ],
    'is not a command': [async () => 'no-such-trainer-command', /exit code 127\n.*no-such-trainer-command/],
    'speaks another version': [
      () => acts('', { ...READY, contract: 2 }),
      /version 2 of the contract, this daemon version 1/
    ],
    'prints what is not JSON': [
      () => acts('', '{"type": oops'),
      /begins with \{ and is not JSON: \{"type": oops/
    ],
    'gives an unknown answer': [() => acts("say({ type: 'done', id: r.id })"), /does not fit the contract/],
    'prints a line without end': [
      () => acts("process.stdout.write('{' + 'x'.repeat(3_000_000))"),
      /a line of more than 1048576 bytes/
    ],
    'is killed in mid-training': [
      () =>
        acts(
          "say({ type: 'progress', id: r.id, step: 1, steps: 4, loss: 3 }); process.kill(process.pid, 'SIGKILL')"
        ),
      /was ended by SIGKILL|exit code 137/
    ],
    'says that it failed': [
      () => acts("say({ type: 'failed', id: r.id, reason: 'out of memory: use a smaller batch' })"),
      /the trainer says: out of memory: use a smaller batch/
    ],
    'reports no number as its loss': [
      () => acts("say({ type: 'progress', id: r.id, step: 1, steps: 4, loss: null })"),
      /does not fit the contract.*loss/
    ],
    'gives no folder': [
      () => acts("say({ type: 'result', id: r.id, folder: '/nowhere', steps: 1 })"),
      /\/nowhere is not a PEFT adapter folder/
    ],
    'lies about the rank': [() => gives({ pairs: good({ rank: 3 }) }), /q_proj has rank 3, not 2/],
    'takes another alpha': [
      () => gives({ pairs: good({ alpha: 8 }) }),
      /is scaled by 4, not 2: lora_alpha must be 4, without use_rslora/
    ],
    'scales by the root of the rank': [() => gives({ pairs: good() }, true), /is scaled by 2\.8.*not 2/],
    'leaves a module out': [
      () => gives({ pairs: good().slice(1) }),
      /no factors for model\.layers\.0\.self_attn\.q_proj/
    ],
    'adapts another module': [
      () => gives({ pairs: [...good(), pair('model.layers.0.self_attn.k_proj')] }),
      /factors for model\.layers\.0\.self_attn\.k_proj, which the charter does not list/
    ],
    'has another base': [
      () => gives({ pairs: good({ inFeatures: 64 }) }),
      /has factors for 128 × 64, the base has 128 × 128/
    ],
    'gives NaN': [
      async () => {
        const command = await gives({ pairs: good() })
        const [first, ...others] = good()
        const B = new Float32Array(256).fill(Number.NaN)
        const tensors = adapterTensors({ pairs: [{ ...first!, B }, ...others] })
        await writeFile(
          join(suite.home.folder, `adapter-${made - 1}`, PEFT_WEIGHTS_FILE),
          encodeSafetensors(tensors)
        )
        return command
      },
      /NaN/
    ]
  }
  for (const [what, [make, expected]] of Object.entries(refused)) {
    it(`causes one error, and costs one adapter: ${what}`, async () => {
      await assert.rejects(train(await make()), expected)
      assert(!existsSync(roundFiles(suite.home, 1).local))
      // The next job is still assigned.
      assert.equal((await train(await gives({ pairs: good() }))).shards.length, 2)
    })
  }

  it('is killed with all its child processes when it hangs', async () => {
    const started = join(suite.home.folder, 'pid')
    const command = await acts(
      `const { spawn } = await import('node:child_process'); const { writeFileSync } = await import('node:fs')
       if (r.type === 'train') writeFileSync(${JSON.stringify(started)}, String(spawn('sleep', ['1000']).pid))`
    )
    const stop = new AbortController()
    const given = train(command, stop.signal)
    await until(() => existsSync(started) && readFileSync(started, 'utf8') !== '')
    stop.abort()
    await assert.rejects(given, /has not stopped within 10 seconds|cancelled/)
    const pid = readFileSync(started, 'utf8')
    await until(() => !isRunning(pid))
  })

  it('can report progress of a training without confusing it with a measurement of the same number', async () => {
    const trained = await trainer.train(suite.job(), () => {}, never)
    const text = join(suite.home.folder, 'heldout.txt')
    await writeFile(text, 'The sea was calm that day. '.repeat(9))
    const folder = join(suite.home.folder, 'good')
    await writePeftFolder(folder, { pairs: good() }, 'base', 'F32')
    const command = await acts(
      `if (r.type === 'train') for (let id = 1; id < 9; id++) say({ type: 'progress', id: r.id, step: id, steps: 9, loss: 3 })
       setTimeout(() => say(r.type === 'train'
         ? { type: 'result', id: r.id, folder: ${JSON.stringify(folder)}, steps: 9 }
         : { type: 'evaluation', id: r.id, loss: r.adapter === null ? 3 : 2.5, tokens: 64 }), 300)`,
      { ...READY, features: ['evaluate'] }
    )
    const external = { trainer: command, deadline: Date.now() + 60_000 }
    const seen: object[] = []
    const measuring = async () => {
      const shards = trained.shards.map((shard) => ({
        ...shard,
        blocks: shard.blocks.map((digest) => Buffer.from(digest, 'hex'))
      }))
      const job = { ...suite.job({ external }), shards, text: { file: text }, tokens: 64, clip: {} }
      return trainer.measure({ ...job, before: undefined }, never)
    }
    const [, losses] = await Promise.all([
      trainer.train(suite.job({ external }), (progress) => seen.push(progress), never),
      train(command).then(measuring)
    ])
    assert.deepEqual(losses, { before: 3, after: 2.5 })
    for (const progress of seen) assert(!('id' in progress))
    const both = await Promise.all([train(command), measuring()])
    assert.deepEqual(both[1], { before: 3, after: 2.5 })
  })

  it('may print other output, and repeat answers that nobody waits for', async () => {
    const folder = join(suite.home.folder, 'good')
    await writePeftFolder(folder, { pairs: good() }, 'base', 'F32')
    const command = await acts(`
      say('loading the model …'); console.error('a warning'); say('')
      say({ type: 'progress', id: 999, step: 1, steps: 1, loss: 1 })
      const result = { type: 'result', id: r.id, folder: ${JSON.stringify(folder)}, steps: 1 }
      say(result); say(result)`)
    assert.equal((await train(command)).shards.length, 2)
  })
})
