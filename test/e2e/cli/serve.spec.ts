import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseEvents, post } from '../../integration/prada/sse.ts'
import { until } from '../../support/until.ts'
import { lastLine, loam, loamWith } from './loam.ts'
import { type ServeProcess, startServe } from './serve-process.ts'

const MODEL = 'loam-base-1m'
const COMPLETION = { model: MODEL, prompt: 'Once upon a time', max_tokens: 12, seed: 5 }
const KEY = { headers: { authorization: 'Bearer secret' } }

describe('loam serve', function () {
  this.timeout(120_000)
  let folder: string
  let local: ServeProcess
  const path = (name: string) => join(folder, name)

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'loam-serve-'))
    await writeFile(path('text.txt'), 'The sea was calm that day, and the ship went on. '.repeat(40))
    await writeFile(
      path('questions.jsonl'),
      '{"question":"What barks?","choices":["a cat","a dog"],"answer":1}\n'
    )
    local = await startServe({ LOAM_API_KEY: 'secret' }, '--chat-template', 'chatml', '--json')
  })
  after(() => rm(folder, { recursive: true, force: true }))

  it('answers requests that carry the API key', async () => {
    assert.equal((await post(`${local.url}/v1/completions`, COMPLETION)).status, 401)
    const response = await post(`${local.url}/v1/completions`, COMPLETION, KEY)
    const answer = (await response.json()) as {
      choices: { text: string }[]
      usage: { completion_tokens: number }
    }
    assert.equal(answer.usage.completion_tokens, 12)
    const chat = {
      ...COMPLETION,
      prompt: undefined,
      messages: [{ role: 'user', content: 'Hi' }],
      stream: true
    }
    const { events, isDone } = parseEvents(
      await (await post(`${local.url}/v1/chat/completions`, chat, KEY)).text()
    )
    assert.ok(isDone && events.length > 2)
  })

  it('serves as a remote for another endpoint, whose adapter steers it; strength 0 leaves it unsteered', async () => {
    const trained = await loam('train', '--data', path('text.txt'), '--out', path('adapter'), '--steps', '8')
    assert.equal(trained.code, 0, trained.stderr)
    const remote = ['--adapter', path('adapter'), '--remote', local.url]
    const env = { LOAM_REMOTE_KEY: 'secret' }
    const steered = await startServe(
      env,
      ...remote,
      '--name',
      'steered',
      '--alpha',
      '0',
      '--require-exact',
      '--json'
    )
    const textFrom = async (url: string, model: string): Promise<string> => {
      // A temperature at which float16 on the wire and float32 here choose the same tokens.
      const request = { ...COMPLETION, model, temperature: 0 }
      const response = await post(`${url}/v1/completions`, request, KEY)
      assert.equal(response.status, 200)
      return ((await response.json()) as { choices: { text: string }[] }).choices[0]!.text
    }
    assert.equal(await textFrom(steered.url, 'steered'), await textFrom(local.url, MODEL))
    const stopped = await steered.stop('SIGINT')
    assert.equal(stopped.code, 0, stopped.stderr)
    const { url, ...result } = lastLine<Record<string, unknown>>(stopped)
    assert.equal(url, steered.url)
    assert.deepEqual(result, { model: 'steered', requests: 1, tokens: 12, inexact: 0 })

    // Base plus the adapter's offset is the adapted model itself.
    const [own, combined, alone] = await Promise.all([
      loam('eval', '--adapter', path('adapter'), '--text', path('text.txt'), '--json'),
      loamWith(env, 'eval', ...remote, '--text', path('text.txt'), '--json'),
      loamWith(env, 'eval', ...remote, '--alpha', '0', '--text', path('text.txt'), '--json')
    ])
    const [adapted, score, base] = [own, combined, alone].map(
      (outcome) => lastLine<{ nats: number }>(outcome).nats
    )
    assert.ok(Math.abs(score! - adapted!) < 1e-3, `${score} and ${adapted}`)
    assert.ok(base! > adapted! + 0.1, `${base} and ${adapted}`)
    const choices = await loamWith(env, 'eval', ...remote, '--choices', path('questions.jsonl'), '--json')
    assert.equal(lastLine<{ questions: number }>(choices).questions, 1)

    const generate = [
      'generate',
      ...remote,
      '--prompt',
      'The sea',
      '--max-tokens',
      '6',
      '--seed',
      '3',
      '--json'
    ]
    const [first, second] = await Promise.all([
      loamWith(env, ...generate),
      loamWith(env, ...generate, '--draft', 'base', '--draft-length', '2', '--remote-top-k', 'rows')
    ])
    const texts = [first, second].map((outcome) => lastLine<{ text: string; exact: boolean }>(outcome))
    assert.ok(texts[0]!.exact && texts[0]!.text !== '')
    assert.equal(texts[0]!.text, texts[1]!.text)
    assert.match((await loam(...generate)).stderr, /^error: .*401, a key is needed/m)
  })

  it('names the invalid setting, and does not start', async () => {
    const server = createServer().listen(0, '127.0.0.1')
    await new Promise((resolve) => server.once('listening', resolve))
    const { port } = server.address() as { port: number }
    const cases: readonly [number, RegExp, ...string[]][] = [
      [2, /--home needs --remote/, '--home', folder],
      [2, /--alpha needs --remote/, '--alpha', '1'],
      [2, /--top-k needs --remote/, '--top-k', '3'],
      [2, /is not an address/, '--remote', 'nonsense'],
      [
        2,
        /the remote needs the seed to draft/,
        '--remote',
        local.url,
        '--draft',
        'remote',
        '--no-share-noise'
      ],
      [2, /--no-rows does not go with --remote/, '--remote', local.url, '--no-rows'],
      [1, /is not the home of a peer/, '--remote', local.url, '--home', folder],
      [1, /ECONNREFUSED/, '--remote', 'http://127.0.0.1:1'],
      [1, /401, a key is needed/, '--remote', local.url],
      [1, /contains no base model/, '--model', folder],
      [1, /it is in use; set --host and --port/, '--port', String(port)]
    ]
    const outcomes = await Promise.all(cases.map(([, , ...flags]) => loam('serve', '--port', '0', ...flags)))
    server.close()
    for (const [index, outcome] of outcomes.entries()) {
      const [code, message] = cases[index]!
      assert.match(outcome.stderr, message)
      assert.equal(outcome.code, code, outcome.stderr)
      assert.equal(outcome.stdout, '')
    }
  })

  it('finishes running texts after the first signal, and prints its result last', async () => {
    const under = post(`${local.url}/v1/completions`, { ...COMPLETION, max_tokens: 200 }, KEY)
    const looked = { headers: KEY.headers }
    await until(async () =>
      /loam_serve_active_requests 1/.test(await (await fetch(`${local.url}/metrics`, looked)).text())
    )
    const [answer, outcome] = await Promise.all([under, local.stop()])
    assert.equal(answer.status, 200)
    assert.equal(
      ((await answer.json()) as { usage: { completion_tokens: number } }).usage.completion_tokens,
      200
    )
    assert.equal(outcome.code, 0, outcome.stderr)
    const { model, inexact } = lastLine<{ model: string; inexact: number }>(outcome)
    assert.deepEqual([model, inexact], [MODEL, 0])
  })
})
