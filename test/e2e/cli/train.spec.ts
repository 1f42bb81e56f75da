import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { LOAM, lastLine, loam, type Outcome } from './loam.ts'

interface Report {
  out: string
  adapterDigest: string
  steps: number
  loss: { first: number; last: number }
  heldOutLoss: { before: number; after: number } | null
  tokensPerSecond: number
}

function assertFails(outcome: Outcome, code: number, message: RegExp): void {
  assert.equal(outcome.code, code, outcome.stderr)
  assert.match(outcome.stderr, message)
  assert.equal(outcome.stdout, '')
  assert.equal(outcome.stderr.match(/^error: /gm)?.length, 1, outcome.stderr)
}

describe('loam train, generate and eval --choices', function () {
  this.timeout(120_000)
  let folder: string
  const path = (...names: string[]) => join(folder, ...names)
  const sentences = [
    'The old whale swam under the grey sea, and the ship went on her way to the west.',
    'All hands were called on deck, and the captain spoke of the white whale again.',
    'He looked over the water and thought of home, of the hills and of the harbour.'
  ]
  const settings = [
    '--sequence-length',
    '32',
    '--batch-size',
    '4',
    '--rank',
    '4',
    '--held-out',
    '0.2',
    '--learning-rate',
    '0.005'
  ]
  const train = (out: string, ...flags: string[]) =>
    loam('train', '--data', path('data.jsonl'), '--out', path(out), ...settings, '--json', ...flags)

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'loam-train-e2e-'))
    const lines = Array.from({ length: 18 }, (_, index) => JSON.stringify({ text: sentences[index % 3] }))
    await writeFile(path('data.jsonl'), `${lines.join('\n')}\n`)
  })
  after(() => rm(folder, { recursive: true, force: true }))

  it('trains, and writes a log and an adapter that eval and generate load', async () => {
    const outcome = await train('learned', '--steps', '20', '--eval-every', '10')
    assert.equal(outcome.code, 0, outcome.stderr)
    const report = lastLine<Report>(outcome)
    assert.equal(report.steps, 20)
    assert(report.heldOutLoss!.after < report.heldOutLoss!.before - 0.3)
    assert(report.loss.last < report.loss.first)
    assert(report.tokensPerSecond > 0)
    assert.match(outcome.stderr, /step 20\/20 {2}loss [\d.]+ {2}[\d,]+ tokens\/s {2}ETA 0:00/)
    const bytes = await readFile(path('learned', 'adapter_model.safetensors'))
    assert.equal(createHash('sha256').update(bytes).digest('hex'), report.adapterDigest)
    const log = (await readFile(path('learned', 'training-log.jsonl'), 'utf8')).trim().split('\n')
    const entries = log.map(
      (line) => JSON.parse(line) as { step: number; loss?: number; heldOutLoss?: number }
    )
    assert.equal(entries.filter(({ loss }) => loss !== undefined).length, 20)
    assert.deepEqual(
      entries.filter(({ heldOutLoss }) => heldOutLoss !== undefined).map(({ step }) => step),
      [0, 10, 20]
    )

    await writeFile(path('text.txt'), sentences[0]!)
    const nats = async (...flags: string[]): Promise<number> =>
      lastLine<{ nats: number }>(await loam('eval', '--text', path('text.txt'), '--json', ...flags)).nats
    assert((await nats('--adapter', path('learned'))) < (await nats()) - 0.3)

    const generate = (...flags: string[]) =>
      loam('generate', '--prompt', 'The old whale', '--temperature', '0', '--max-tokens', '12', ...flags)
    const plain = await generate()
    const adapted = await generate('--adapter', path('learned'))
    assert.notEqual(adapted.stdout, plain.stdout)
    const json = lastLine<Record<string, unknown>>(
      await generate('--adapter', path('learned', 'adapter_model.safetensors'), '--json')
    )
    assert.equal(`${json.text}\n`, adapted.stdout)
    assert.deepEqual(Object.keys(json), [
      'text',
      'tokens',
      'promptTokens',
      'finishReason',
      'seed',
      'tokensPerSecond'
    ])
    const word = (json.text as string).trim().split(/\s+/)[1]!
    const stopped = lastLine<{ text: string; finishReason: string }>(
      await generate('--adapter', path('learned'), '--json', '--stop', word)
    )
    assert.equal(stopped.text, (json.text as string).slice(0, (json.text as string).indexOf(word)))
    assert.equal(stopped.finishReason, 'stop')

    const questions = [0, 1].map((answer) => ({
      context: 'The old whale swam under the grey',
      choices: ['sea, and the ship', 'President'],
      answer
    }))
    await writeFile(path('q.jsonl'), questions.map((question) => `${JSON.stringify(question)}\n`).join(''))
    const scored = await loam('eval', '--choices', path('q.jsonl'), '--adapter', path('learned'), '--json')
    assert.deepEqual(lastLine(scored), {
      questions: 2,
      acc: 0.5,
      acc_stderr: 0.5,
      acc_norm: 0.5,
      acc_norm_stderr: 0.5,
      acc_bytes: 0.5,
      acc_bytes_stderr: 0.5
    })
  })

  it('makes the same adapter when killed with SIGKILL at any point and resumed', async () => {
    const flags = ['--steps', '24', '--checkpoint-every', '3', '--eval-every', '5']
    const whole = lastLine<Report>(await train('whole', ...flags))
    const args = [
      'train',
      '--data',
      path('data.jsonl'),
      '--out',
      path('killed'),
      ...settings,
      ...flags,
      '--json',
      '--resume'
    ]
    let kills = 0
    let killedAt = 0
    while (kills < 3) {
      const child = spawn(process.execPath, [LOAM, ...args], { stdio: 'ignore' })
      const ended = once(child, 'exit')
      // Killed as soon as its log has advanced some steps since the last kill.
      const watch = setInterval(async () => {
        const log = await readFile(path('killed', 'training-log.jsonl'), 'utf8').catch(() => '')
        const steps = log.split('\n').filter((line) => line.includes('"gradientNorm"')).length
        if (steps >= killedAt + 5) child.kill('SIGKILL')
      }, 5)
      const [, signal] = await ended
      clearInterval(watch)
      if (signal !== 'SIGKILL') break
      kills++
      killedAt += 5
      assert(!existsSync(path('killed', 'adapter_model.safetensors')))
    }
    assert(kills >= 2, 'the run ended before it could be killed')
    const outcome = await train('killed', ...flags, '--resume')
    assert.match(outcome.stderr, /continuing from step \d+/)
    const resumed = lastLine<Report>(outcome)
    assert.equal(resumed.adapterDigest, whole.adapterDigest)
    assert.deepEqual([resumed.loss, resumed.heldOutLoss], [whole.loss, whole.heldOutLoss])
    const stepsOf = async (out: string): Promise<unknown[]> =>
      (await readFile(path(out, 'training-log.jsonl'), 'utf8'))
        .trim()
        .split('\n')
        .map((line) => {
          const { seconds: _, ...entry } = JSON.parse(line)
          return entry
        })
    assert.deepEqual(await stepsOf('killed'), await stepsOf('whole'))
    assertFails(
      await train('killed', ...flags),
      1,
      /contains the checkpoint of an earlier run: continue it with --resume/
    )
    assertFails(await train('killed', '--steps', '30', '--resume'), 1, /from a run with other settings/)
    const elsewhere = await train('killed', ...flags, '--resume', '--executor', 'onnxruntime-web')
    assertFails(elsewhere, 1, /other settings \(executor: "onnxruntime" then, "onnxruntime-web" now\)/)
  })

  it('applies dropout, alpha and per-module ranks as set, reproducibly', async () => {
    await writeFile(
      path('c.json'),
      JSON.stringify({ rankPattern: { v_proj: 2 }, dropout: 0.3, rsLora: true, steps: 3 })
    )
    const configured = () => train('patterns', '--config', path('c.json'), '--overwrite')
    const [first, again] = [lastLine<Report>(await configured()), lastLine<Report>(await configured())]
    assert.equal(again.adapterDigest, first.adapterDigest)
    const other = ['--config', path('c.json'), '--dropout', '0.1']
    assertFails(await train('patterns', ...other), 1, /is not empty \(adapter_config\.json.*--overwrite/)
    const without = lastLine<Report>(await train('patterns', ...other, '--overwrite'))
    assert.notEqual(without.adapterDigest, first.adapterDigest)
    const config = JSON.parse(await readFile(path('patterns', 'adapter_config.json'), 'utf8'))
    assert.equal(config.use_rslora, true)
    assert.deepEqual(new Set([config.r, ...Object.values(config.rank_pattern)]), new Set([4, 2]))
    const held = lastLine<Report>(await train('held', '--steps', '3', '--base-format', 'int8', '--recompute'))
    assert(held.heldOutLoss!.after < held.heldOutLoss!.before)
  })

  it('stops after the current step on SIGTERM, with a checkpoint to resume from', async () => {
    const args = [
      'train',
      '--data',
      path('data.jsonl'),
      '--out',
      path('stopped'),
      ...settings,
      '--steps',
      '2000'
    ]
    const child = spawn(process.execPath, [LOAM, ...args], { stdio: ['ignore', 'ignore', 'pipe'] })
    let stderr = ''
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text
      if (!child.killed && /step +\d+\/2000/.test(stderr)) child.kill('SIGTERM')
    })
    const [code] = await once(child, 'close')
    assert.equal(code, 1, stderr)
    assert.match(stderr, /^error: stopped; a checkpoint is in .*: continue with --resume$/m)
    assert(existsSync(path('stopped', 'checkpoint.safetensors')))
  })

  it('names settings and files that it cannot use', async () => {
    await writeFile(path('bad.jsonl'), '{"text":"a"}\n{"text":\n')
    await writeFile(
      path('chat.jsonl'),
      '{"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"b"}]}\n'
    )
    const out = ['--out', path('refused')]
    const data = ['--data', path('data.jsonl')]
    const refused: [string[], number, RegExp][] = [
      [['train', ...out], 2, /--data is missing/],
      [['train', ...data], 2, /--out is missing/],
      [['train', ...data, ...out, '--rank', '0'], 2, /--rank must be a positive integer, got "0"/],
      [['train', ...data, ...out, '--steps', '2', '--epochs', '1'], 2, /steps or epochs/],
      [
        ['train', ...data, ...out, '--sequence-length', '257'],
        2,
        /257 is more than the model's 256 positions/
      ],
      [
        ['train', ...data, ...out, '--target-modules', 'nonsense'],
        1,
        /no linear module of the model is called nonsense/
      ],
      [['train', '--data', path('missing'), ...out], 1, /no data found at/],
      [['train', '--data', path('bad.jsonl'), ...out], 1, /bad\.jsonl:2: not valid JSON/],
      [
        ['train', '--data', path('chat.jsonl'), ...out],
        1,
        /chat\.jsonl:1: conversations need a chat template/
      ],
      [['train', ...data, ...out, '--model', folder], 1, /contains no base model/],
      [['generate'], 2, /required option '--prompt/],
      [['generate', '--prompt', 'a', '--top-p', '1.5'], 2, /--top-p must be a number above 0 and at most 1/],
      [['generate', '--prompt', 'a', '--system', 'b'], 2, /--system needs --chat/],
      [['generate', '--prompt', 'a', '--chat'], 1, /has no chat template/],
      [['generate', '--prompt', 'a', '--context', '257'], 1, /exceeds the model's 256 positions/],
      [['generate', '--prompt', 'word '.repeat(400)], 1, /leaves no room in the context of 256/],
      [['generate', '--prompt', 'a', '--adapter', path('missing')], 1, /is not a PEFT adapter folder/],
      [['generate', '--prompt', 'a', '--adapter', path('data.jsonl')], 1, /data\.jsonl is not an adapter/],
      [['eval'], 2, /--text FILE or --choices FILE/],
      [['eval', '--choices', path('missing')], 1, /file not found/],
      [['eval', '--choices', path('data.jsonl')], 1, /data\.jsonl:1: "choices"/]
    ]
    const outcomes = await Promise.all(refused.map(([args]) => loam(...args)))
    for (const [index, outcome] of outcomes.entries())
      assertFails(outcome, refused[index]![1], refused[index]![2])
    assert(!existsSync(path('refused', 'adapter_model.safetensors')))
  })
})
