import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { LOAM, lastLine, loam, loamWith, type Outcome } from './loam.ts'

/** A readable error: one line, no stack trace, and the exit code. */
function assertFails(outcome: Outcome, code: number, message: RegExp): void {
  assert.equal(outcome.code, code, outcome.stderr)
  assert.match(outcome.stderr, message)
  assert.equal(outcome.stdout, '')
  assert.doesNotMatch(outcome.stderr, /^\s+at /m)
  assert.equal(outcome.stderr.match(/^error: /gm)?.length, 1, outcome.stderr)
}

describe('the loam command', function () {
  this.timeout(240_000)
  let folder: string
  const path = (...names: string[]) => join(folder, ...names)

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'loam-cli-'))
    await writeFile(path('text.txt'), 'The sea was calm that day, and the ship went on.')
    await writeFile(path('documents.jsonl'), '{"text":"The sea was calm."}\n')
  })
  /** Leftovers of a failed test. */
  const leftovers: (() => void)[] = []
  after(async () => {
    for (const end of leftovers) end()
    await rm(folder, { recursive: true, force: true })
  })

  it('prints help: exit code 0 with --help, 2 without a command', async () => {
    const asked = await loam('--help')
    assert.equal(asked.code, 0)
    assert.match(asked.stdout, /Examples:.*Exit codes: 0 success, 1 failure, 2 incorrect usage/s)
    const bare = await loam()
    assert.equal(bare.code, 2)
    assert.match(bare.stderr, /Usage: loam/)
    const nested = [
      ['consortium', 'create'],
      ['consortium', 'inspect'],
      ['adapter', 'export'],
      ['data', 'inspect']
    ]
    const plain = ['testnet', 'peer', 'identity', 'eval', 'doctor', 'train', 'generate', 'serve'].map(
      (name) => [name]
    )
    const commands = [...plain, ...nested]
    const helps = await Promise.all(commands.map((command) => loam(...command, '--help')))
    for (const [index, { code, stdout }] of helps.entries()) {
      assert.equal(code, 0)
      assert.match(stdout, /Examples?:\n\s+\$ loam /, commands[index]!.join(' '))
      for (const line of stdout.split('\n')) assert(line.length <= 80, line)
    }
  })

  it('exits with 2 on invalid arguments', async () => {
    const wrong = [
      ['nonsense'],
      ['consortium', 'nonsense'],
      ['peer'],
      ['identity'],
      ['eval'],
      ['eval', '--text', path('text.txt'), '--context', '1'],
      ['eval', '--text', path('text.txt'), '--executor', 'nonsense'],
      ['eval', '--text', path('text.txt'), '--executor', 'tfjs', '--device', 'webgpu'],
      ['peer', '--home', path('home'), '--executor', 'onnxruntime-web', '--device', 'cuda'],
      ['adapter', 'export', '--home', folder],
      ['adapter', 'export', '--home', folder, '--out', path('out'), '--format', 'zip'],
      ['consortium', 'inspect'],
      ['peer', '--home', path('home'), '--rank', '0'],
      ['peer', '--home', path('home'), '--log-level', 'loud'],
      ['testnet', '--ranks', ',']
    ]
    const outcomes = await Promise.all(wrong.map((args) => loam(...args)))
    for (const outcome of outcomes) assertFails(outcome, 2, /^error: /)
    assert(!existsSync(path('home')))
  })

  it('prints a stack trace only in debug mode', async () => {
    const args = ['consortium', 'inspect', path('missing')]
    assertFails(await loam(...args), 1, /^error: no charter found at /)
    assert.match((await loamWith({ LOAM_DEBUG: '1' }, ...args)).stderr, /^\s+at /m)
  })

  it('exits quietly when the reader of its output closes the pipe', async () => {
    for (const args of [['--help'], ['eval', '--text', path('text.txt'), '--per-token']]) {
      const child = spawn(process.execPath, [LOAM, ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
      child.stdout.destroy()
      let stderr = ''
      child.stderr.setEncoding('utf8').on('data', (text: string) => {
        stderr += text
      })
      await once(child, 'close')
      assert.equal(stderr, '')
      assert.equal(child.exitCode, 0)
    }
  })

  it('gives equal scores on every portable executor, and exits', async () => {
    const executors = ['onnxruntime', 'onnxruntime-web', 'tfjs']
    const outcomes = await Promise.all(
      executors.map((executor) => loam('eval', '--text', path('text.txt'), '--executor', executor, '--json'))
    )
    const scores = outcomes.map((outcome) => lastLine<{ nats: number; tokens: number }>(outcome))
    for (const { nats, tokens } of scores) {
      assert.equal(tokens, scores[0]!.tokens)
      assert.ok(Math.abs(nats - scores[0]!.nats) < 1e-4, `${nats} and ${scores[0]!.nats}`)
    }
  })

  it('lists the executors that run on this machine', async () => {
    const outcome = await loam('doctor', '--json')
    assert.equal(outcome.code, 0, outcome.stderr)
    const { machine, executors } = lastLine<{
      machine: { node: string }
      executors: { executor: string; device: string; works: boolean }[]
    }>(outcome)
    assert.equal(machine.node, process.versions.node)
    assert.ok(
      executors.some(({ executor, device, works }) => works && executor === 'onnxruntime' && device === 'cpu')
    )
  })

  it('shows how records become token ids, text and training targets', async () => {
    const records = ['{"prompt":"Q: ","completion":"yes","url":"x"}', '{"prompt":"Q: ","completion":""}']
    await writeFile(path('pairs.jsonl'), records.map((record) => `${record}\n`).join(''))
    interface Inspection {
      format: string
      records: number
      targets: number
      bad: { source: string }[]
      notes: string[]
      shown: { text: string; tokens: { id: number; text: string; learned: boolean }[] }[]
    }
    const args = ['data', 'inspect', path('pairs.jsonl'), '--tokens', '--json']
    const { format, targets, bad, notes, shown } = lastLine<Inspection>(await loam(...args))
    assert.equal(format, 'completion')
    assert.match(bad[0]!.source, /pairs\.jsonl:2$/)
    assert.match(notes.join(), /ignored keys.*"url" \(1\)/)
    const [{ text, tokens }] = shown as [Inspection['shown'][number]]
    assert.equal(text, '<|endoftext|>Q:⟦ yes<|endoftext|>⟧')
    assert.equal(tokens.filter(({ learned }) => learned).length, targets)
    assertFails(await loam('data', 'inspect', path('nowhere')), 1, /no data found at/)
  })

  it('scores a text, and names one that it cannot score', async () => {
    interface Score {
      nats: number
      tokens: number
      bytes: number
      perToken?: { id: number; logProb: number | null }[]
    }
    const plain = lastLine<Score>(await loam('eval', '--text', path('text.txt'), '--json'))
    assert.deepEqual(Object.keys(plain), ['nats', 'tokens', 'bytes'])
    const args = ['eval', '--text', path('text.txt'), '--per-token', '--context', '8', '--json']
    const { nats, tokens, bytes, perToken } = lastLine<Score>(await loam(...args))
    assert.equal(bytes, 48)
    for (const [index, { logProb }] of perToken!.entries())
      assert(index % 8 === 0 ? logProb === null : logProb! <= 0)
    const scored = perToken!.flatMap(({ logProb }) => logProb ?? [])
    assert.equal(scored.length, tokens)
    assert(Math.abs(-scored.reduce((sum, logProb) => sum + logProb, 0) / tokens - nats) < 1e-9)

    await writeFile(path('marked.txt'), `\ufeff${await readFile(path('text.txt'), 'utf8')}`)
    assert.equal(lastLine<Score>(await loam('eval', '--text', path('marked.txt'), '--json')).nats, plain.nats)
    await writeFile(path('empty'), '')
    await writeFile(path('binary'), Buffer.from([0x80, 0xff, 0xfe]))
    await writeFile(path('letter'), 'a')
    assert.equal(lastLine<Score>(await loam('eval', '--text', path('letter'), '--json')).tokens, 1)
    const refused: [string[], RegExp][] = [
      [['--text', path('empty')], /is empty/],
      [['--text', path('binary')], /is not UTF-8 text/],
      [['--text', path('missing')], /text file not found/],
      [['--text', folder], /is a folder/],
      [['--text', path('text.txt'), '--adapter', path('missing')], /is not a PEFT adapter folder/],
      [['--text', path('text.txt'), '--model', folder], /contains no base model/],
      [['--text', path('text.txt'), '--context', '100000'], /longer than the model's/]
    ]
    const outcomes = await Promise.all(refused.map(([flags]) => loam('eval', ...flags)))
    for (const [index, outcome] of outcomes.entries()) assertFails(outcome, 1, refused[index]![1])
  })

  describe('with its own consortium', () => {
    const home = () => path('home')
    const create = (...flags: string[]) =>
      loam('consortium', 'create', '--home', home(), '--name', 'cli', ...flags)
    const peer = (...flags: string[]) =>
      loam('peer', '--home', home(), '--data', path('documents.jsonl'), '--no-mdns', ...flags)

    before(async () => {
      const card = await loam('identity', '--home', path('other'), '--json')
      await writeFile(path('card.json'), card.stdout)
      assert.deepEqual(Object.keys(lastLine<object>(card)), ['peerId', 'anchor'])
      assert.equal((await loam('identity', '--home', path('other'), '--json')).stdout, card.stdout)
    })

    it('creates a charter once, and only from valid identity cards', async () => {
      await writeFile(path('broken.json'), '{')
      await writeFile(path('wrong.json'), '{"peerId":"12D3KooW","anchor":"00"}')
      const out = ['--out', path('charter.cbor')]
      const card = ['--member', path('card.json')]
      const refused: [string[], RegExp][] = [
        [[...out, '--member', path('missing.json')], /member card not found: .*missing\.json/],
        [[...out, '--member', path('broken.json')], /broken\.json is not JSON: line 1, column 2/],
        [[...out, '--member', path('wrong.json')], /wrong\.json is not a member card/],
        [[...out, ...card, ...card], /give each member.s card once/],
        [
          ['--out', path('nowhere', 'charter.cbor'), ...card],
          /the folder .*nowhere for --out does not exist/
        ],
        [[...out, ...card, '--min-shards', '9'], /minShards/],
        [[...out, ...card, '--modules', 'nonsense'], /nonsense/],
        [[...out, ...card, '--weights', '12D3KooW=2'], /12D3KooW.* is not a PeerId/]
      ]
      for (const [flags, message] of refused) assertFails(await create(...flags), 1, message)
      assert(!existsSync(path('charter.cbor')))
      const made = lastLine<{ id: string; members: string[] }>(await create(...out, ...card, '--json'))
      assert.equal(made.members.length, 2)
      assertFails(await create(...out, ...card), 1, /exists already/)
      const seen = await loam('consortium', 'inspect', path('charter.cbor'), '--json')
      const read = lastLine<{ id: string; weights: unknown; clip: string }>(seen)
      assert.deepEqual([read.id, read.weights, read.clip], [made.id, 'tokens', 'median'])
      const plain = await create('--out', path('plain.cbor'), ...card, '--clip', 'none', '--json')
      assert.equal(lastLine<{ clip: string }>(plain).clip, 'none')
      const weights = { [made.members[0]!]: 3 }
      const flags = ['--out', path('weighted.cbor'), ...card, '--weights', `${made.members[0]}=3`, '--json']
      assert.deepEqual(lastLine<{ weights: unknown }>(await create(...flags)).weights, weights)
      assertFails(
        await create(...flags, '--weights', 'equal'),
        2,
        /--weights must be tokens, documents, uniform, or PEERID=N/
      )
    })

    it('prints the probability of a bad committee, and refuses one above epsilon', async () => {
      const flags = ['--member', path('card.json'), '--committee', '1', '--assumed-faulty', '0.5']
      const out = ['--out', path('drawn.cbor')]
      assertFails(
        await create(...flags, ...out),
        1,
        /with probability 5\.00e-1, in 1000 rounds at most 5\.00e\+2/
      )
      const made = await create(...flags, ...out, '--epsilon', '0.5', '--committee-rounds', '1')
      assert.match(
        made.stdout,
        /committees of 1 from 2 members, 1 of them assumed faulty: one contains more than 0 of these with probability 5\.00e-1/
      )
      const seen = await loam('consortium', 'inspect', path('drawn.cbor'), '--json')
      const { committee } = lastLine<{ committee: { failureProbability: number } }>(seen)
      assert.equal(committee.failureProbability, 0.5)
    })

    it('refuses to export before a round is sealed', async () => {
      const out = ['--out', path('adapter')]
      assertFails(await loam('adapter', 'export', '--home', home(), ...out), 1, /is not the home of a peer/)
      assertFails(await peer('--charter', path('charter.cbor'), '--rank', '65'), 1, /rank 65 is outside/)
      assertFails(await loam('adapter', 'export', '--home', home(), ...out), 1, /no sealed round/)
      assert(!existsSync(path('adapter')))
    })

    it('refuses to start a peer that could not take part', async () => {
      await writeFile(path('bad.jsonl'), '{"text":"a"}\nnonsense\n')
      const messages = [
        { role: 'user', content: 'a' },
        { role: 'assistant', content: 'b' }
      ]
      await writeFile(path('chats.jsonl'), `${JSON.stringify({ messages })}\n`)
      const server = createServer((socket) => socket.destroy()).listen(0, '127.0.0.1')
      leftovers.push(() => server.close())
      await once(server, 'listening')
      const { port } = server.address() as { port: number }
      const refused: [string[], RegExp][] = [
        [['--data', path('missing.jsonl')], /training documents not found at .*missing\.jsonl/],
        [['--data', path('bad.jsonl')], /bad\.jsonl:2: not valid JSON/],
        [['--data', path('chats.jsonl')], /chats\.jsonl:1: conversations need a chat template/],
        [['--data', path('chats.jsonl'), '--format', 'alpaca'], /chats\.jsonl:1: as alpaca/],
        [['--alpha', '100000'], /alpha 100000 is outside/],
        [['--model', folder], /contains no base model/],
        [['--bootstrap', 'nonsense'], /--bootstrap nonsense is not a multiaddr/],
        [['--bootstrap', '/ip4/127.0.0.1/tcp/1'], /must end in \/p2p\/PEERID/],
        [['--listen', `/ip4/127.0.0.1/tcp/${port}`], /cannot listen on .*EADDRINUSE/],
        [['--charter', path('card.json')], /card\.json is not a valid charter/]
      ]
      for (const [flags, message] of refused) assertFails(await peer(...flags), 1, message)
      server.close()
      const before = existsSync(path('home', 'peer.json')) ? await readFile(path('home', 'peer.json')) : '{}'
      await writeFile(path('home', 'peer.json'), '{"training":{"sequenceLength":257}}')
      assertFails(await peer(), 1, /sequenceLength 257 is more than the base model's 256 positions/)
      await writeFile(path('home', 'peer.json'), before)
      assertFails(await loam('peer', '--home', path('third')), 1, /has no charter yet/)
    })

    it('names the damaged file in a home, and leaves it unchanged', async () => {
      const names = {
        'votes.wal': /is not a log/,
        'peer.json': /fix it/,
        'charter.cbor': /not a valid charter/
      }
      for (const [name, message] of Object.entries(names)) {
        const file = path('home', name)
        const before = existsSync(file) ? await readFile(file) : undefined
        await writeFile(file, 'garbage')
        assertFails(await peer(), 1, message)
        assert.equal(await readFile(file, 'utf8'), 'garbage')
        if (before === undefined) await rm(file)
        else await writeFile(file, before)
      }
    })

    it('runs one peer per home, which exits at the first signal and prints its result last', async function () {
      if (process.platform === 'win32') this.skip()
      const flags = ['peer', '--home', home(), '--data', path('documents.jsonl'), '--no-mdns', '--json']
      const listen = ['--listen', '/ip4/127.0.0.1/tcp/0']
      const child = spawn(process.execPath, [LOAM, ...flags, ...listen], {
        stdio: ['ignore', 'pipe', 'pipe']
      })
      leftovers.push(() => child.kill('SIGKILL'))
      let stdout = ''
      child.stdout.setEncoding('utf8').on('data', (text: string) => {
        stdout += text
      })
      for await (const line of createInterface({ input: child.stderr })) if (/listens on/.test(line)) break
      child.stderr.resume()
      const pid = await readFile(path('home', 'daemon.pid'), 'utf8')
      assert.equal(Number(pid), child.pid)
      assertFails(await peer(), 1, new RegExp(`in use by the daemon with process id ${child.pid}`))
      assert.equal(child.exitCode, null)
      child.kill('SIGINT')
      await once(child, 'close')
      assert.equal(child.exitCode, 0)
      const result = lastLine<{ peerId: string; halted: boolean; rounds: object[] }>({
        code: 0,
        stdout,
        stderr: ''
      })
      assert.deepEqual([result.halted, result.rounds], [false, []])
      assert.equal(await readFile(path('home', 'daemon.pid'), 'utf8'), pid)
      assert(!existsSync(path('home', 'daemon.lock')))
    })
  })
})
