import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { readFile, stat, writeFile } from 'node:fs/promises'
import { get, type IncomingMessage, request } from 'node:http'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { parseSamples } from '../../../lab/soak/read-metrics.ts'
import type { PeerView, RoundEvaluation, RoundView, StatusView } from '../../../src/node/control/index.ts'
import type { Home } from '../../../src/node/home/home.ts'
import { packageRoot } from '../../../src/package-root.ts'
import { LOAM, lastLine, loam, loamWith, type Outcome } from '../cli/loam.ts'
import { PeerNetwork } from './peer-network.ts'

interface Answer {
  readonly status: number
  readonly body: string
}

/** One request, with anything a browser or a stranger may put into it. */
async function ask(
  address: string,
  path: string,
  headers: Record<string, string>,
  method = 'GET'
): Promise<Answer> {
  const asking = request(new URL(path, address), { agent: false, headers, method })
  asking.end(method === 'GET' ? undefined : 'x'.repeat(5_000))
  const [response] = (await once(asking, 'response')) as [IncomingMessage]
  let body = ''
  for await (const chunk of response.setEncoding('utf8')) body += chunk as string
  return { status: response.statusCode!, body }
}

function assertNarrow({ stdout }: Outcome): void {
  for (const line of stdout.split('\n')) assert(line.length <= 80 || /\/|\(baf/.test(line), line)
}

describe('a running peer and its control clients', function () {
  this.timeout(240_000)
  let network: PeerNetwork
  let home: Home
  let address: string
  let bearer: { authorization: string }
  const at = (...args: string[]) => loam(...args, '--home', home.folder)
  const children: ChildProcess[] = []

  /** `loam logs -f`, and its lines. */
  function follow(...args: string[]) {
    const child = spawn(process.execPath, [LOAM, 'logs', '-f', '--home', home.folder, ...args], {
      stdio: ['ignore', 'pipe', 'pipe']
    })
    children.push(child)
    return { child, lines: createInterface({ input: child.stdout }) }
  }

  before(async () => {
    network = await PeerNetwork.prepare(1)
    home = network.prepared.peers[0]!.home
    const settings = JSON.parse(await readFile(home.config, 'utf8')) as object
    await writeFile(home.config, JSON.stringify({ ...settings, metrics: { listen: '127.0.0.1:0' } }))
  })
  after(async () => {
    for (const child of children) child.kill('SIGKILL')
    await network.end()
  })

  it('reads the home of a stopped daemon, and says what to start', async () => {
    const start = /no daemon runs in .*: start it with loam peer --home /
    const peers = await at('peers', '--json')
    assert.deepEqual([peers.code, peers.stdout], [1, ''])
    assert.match(peers.stderr, start)
    const status = await at('status', '--json')
    assert.equal(status.code, 1)
    const view = lastLine<{ phase: string; lastSealed: unknown; reasons: string[] }>(status)
    assert.deepEqual([view.phase, view.lastSealed], ['stopped', null])
    assert.match(view.reasons.join(), /no daemon runs: start it with loam peer --home /)
    assert.deepEqual(lastLine(await at('rounds', '--json')), { rounds: [] })
    assert.deepEqual(lastLine(await at('logs', '--json')), { lines: [] })
    const nowhere = await loam('status', '--home', '/nowhere/at/all')
    assert.equal(nowhere.code, 1)
    assert.match(nowhere.stderr, start)
  })

  it('prints each setting with its source, and checks whether the peer could start', async () => {
    interface Printed {
      settings: Record<string, { value: unknown; source: string }>
    }
    const { settings } = lastLine<Printed>(await at('config', 'print', '--rank', '3', '--json'))
    assert.deepEqual(settings['adapter.rank'], { value: 3, source: 'flag', unit: null })
    assert.deepEqual([settings['network.mdns']!.value, settings['network.mdns']!.source], [false, 'file'])
    assert.equal(settings['log.keepFiles']!.source, 'default')
    const template = '{"text":"{body}"}'
    const { stdout: listed } = await at('config', 'print', '--set', `data.template=${template}`)
    assert(listed.includes(template), listed)
    assert.equal((await at('config', 'check')).code, 0)
    const { ok, faults } = lastLine<{ ok: boolean; faults: { message: string }[] }>(
      await at('config', 'check', '--rank', '65', '--json')
    )
    assert.equal(ok, false)
    assert.match(faults[0]!.message, /rank 65 is outside/)
    assert.equal((await at('config', 'print', '--set', 'adapter.rang=3')).code, 2)
  })

  it('serves its control API on localhost, with a token that is created once', async () => {
    await network.start(0)
    await network.untilSealed(2, 0)
    ;({ address } = JSON.parse(await readFile(home.control, 'utf8')) as { address: string })
    assert.match(address, /^http:\/\/127\.0\.0\.1:\d+$/)
    const token = (await readFile(home.controlToken, 'utf8')).trim()
    bearer = { authorization: `Bearer ${token}` }
    if (process.platform !== 'win32')
      for (const file of [home.controlToken, home.identity])
        assert.equal((await stat(file)).mode & 0o777, 0o600)
    assert.equal((await ask(address, '/v1/status', bearer)).status, 200)
  })

  it('refuses requests without a token, with another host name, or with a body', async () => {
    for (const path of ['/v1/status', '/v1/peers', '/v1/rounds', '/v1/logs', '/v1/events', '/metrics'])
      for (const authorization of ['', 'Bearer x', `Bearer ${'x'.repeat(43)}`]) {
        const { status, body } = await ask(address, path, { authorization })
        assert.equal(status, 401, path)
        assert.match(body, /control\.token/)
      }
    for (const path of ['/v1/status', '/healthz'])
      assert.equal((await ask(address, path, { ...bearer, host: 'evil.example' })).status, 403)
    assert.equal((await ask(address, '/v1/nothing', bearer)).status, 404)
    assert.equal((await ask(address, '/v1/rounds?limit=0', bearer)).status, 400)
    assert.equal((await ask(address, '/v1/events?level=loud', bearer)).status, 400)
    assert((await ask(address, '/v1/status', bearer, 'POST')).status >= 400)
    const wrong = await loamWith({ LOAM_CONTROL_TOKEN: 'x'.repeat(40) }, 'status', '--home', home.folder)
    assert.equal(wrong.code, 1)
    assert.match(wrong.stderr, /refuses the token/)
  })

  it('passes liveness and readiness checks', async () => {
    assert.deepEqual(await ask(address, '/healthz', {}), { status: 200, body: '{"alive":true}' })
    assert.deepEqual(await ask(address, '/readyz', {}), { status: 200, body: '{"ready":true,"reasons":[]}' })
  })

  it('reports status, peers and rounds, in 80 columns and as JSON', async () => {
    const status = lastLine<StatusView>(await at('status', '--json'))
    assert.deepEqual([status.ready, status.members, status.quorum, status.member], [true, 1, 1, 0])
    assert.equal(status.peerId, network.prepared.peers[0]!.peerId)
    assert(status.round >= 3 && status.lastSealed!.round === status.round - 1)
    const { peers } = lastLine<{ peers: PeerView[] }>(await at('peers', '--json'))
    assert.deepEqual(
      peers.map(({ peerId, self, connected }) => [peerId, self, connected]),
      [[status.peerId, true, false]]
    )
    const { rounds } = lastLine<{ rounds: RoundView[] }>(await at('rounds', '--limit', '2', '--json'))
    assert.equal(rounds.length, 2)
    assert.equal(rounds[0]!.round, rounds[1]!.round + 1)
    // The last one may have been written just now, and its times not yet reported.
    assert(rounds[1]!.ms!.train > 0)
    const before = lastLine<{ rounds: RoundView[] }>(await at('rounds', '--before', '2', '--json'))
    assert.deepEqual(
      before.rounds.map(({ round, modelDigest }) => [round, modelDigest]),
      [[1, network.watches[0]!.sealed.find(({ round }) => round === 1)!.modelDigest]]
    )
    const commands = ['status', 'peers', 'rounds']
    for (const outcome of await Promise.all(commands.map((command) => at(command)))) {
      assert.equal(outcome.code, 0, outcome.stderr)
      assertNarrow(outcome)
    }
  })

  it('evaluates the model of every round on its held-out text, and its own update', async () => {
    const evaluated = async (): Promise<RoundView> => {
      for (;;) {
        const { rounds } = lastLine<{ rounds: RoundView[] }>(await at('rounds', '--json'))
        const found = rounds.find(({ heldOut }) => heldOut.sealed !== null && heldOut.own !== null)
        if (found !== undefined && found.stackDigest !== null) return found
      }
    }
    // A network of one: the whole stack is its own.
    const { round, weight, sealedAt, heldOut } = await evaluated()
    assert.equal(weight, 1)
    assert(Date.parse(sealedAt!) <= Date.now())
    assert(heldOut.sealed! < heldOut.base! && heldOut.own! < heldOut.base!, JSON.stringify(heldOut))
    const evaluation = lastLine<RoundEvaluation>(await at('rounds', `${round}`, '--matrix', '--json'))
    assert.deepEqual([evaluation.base, evaluation.own, evaluation.updates], [heldOut.base, heldOut.own, []])
    const text = await at('rounds', `${round}`, '--matrix')
    assert.match(text.stdout, /loss on \d+ held-out tokens.*own update/s)
    assertNarrow(text)
    assert.equal((await at('rounds', `${round}`)).code, 2)
    assert.match((await at('rounds', '100000', '--matrix')).stderr, /nothing was measured in round 100000/)
  })

  it('streams its log, past and new lines, by level and topic', async () => {
    const { lines } = lastLine<{ lines: { msg: string; topic: string }[] }>(
      await at('logs', '-n', '1000', '--json')
    )
    assert(lines.some(({ msg, topic }) => msg === 'sealed' && topic === 'rounds'))
    assert(lines.some(({ topic }) => topic === 'network'))
    const of = lastLine<{ lines: { topic: string }[] }>(
      await at('logs', '-n', '1000', '--topic', 'network', '--json')
    )
    assert(of.lines.length > 0 && of.lines.every(({ topic }) => topic === 'network'))
    assert.equal((await at('logs', '--topic', 'nonsense')).code, 2)
    const { child, lines: following } = follow('-n', '0', '--topic', 'rounds', '--json')
    const now = network.lastSealed(0)
    for await (const line of following) {
      const { msg, topic, round } = JSON.parse(line) as { msg: string; topic: string; round?: number }
      assert.equal(topic, 'rounds')
      if (msg === 'sealed' && round! > now) break
    }
    child.kill('SIGINT')
    assert.deepEqual(await once(child, 'exit'), [0, null])
  })

  it('exports its own metrics and those of the process, libp2p and gossipsub to Prometheus', async () => {
    const { status, body } = await ask(address, '/metrics', bearer)
    assert.equal(status, 200)
    const samples = parseSamples(body)
    const value = (name: string) => samples.find((sample) => sample.name === name)?.value
    assert(value('loam_round')! >= 3)
    assert(value('loam_rounds_sealed_total')! >= 2)
    assert(value('process_resident_memory_bytes')! > 1e7)
    for (const prefix of ['libp2p_', 'gossipsub_', 'nodejs_'])
      assert(
        samples.some(({ name }) => name.startsWith(prefix)),
        prefix
      )
    const part = (name: string) =>
      samples.find((sample) => sample.name === 'loam_disk_usage_bytes' && sample.labels === `part="${name}"`)!
        .value
    assert(part('blocks') > 0 && part('stacks') > 0 && part('seals') > 0)
  })

  it('exports every metric that the dashboard queries, with its labels', async () => {
    const text = await readFile(join(packageRoot(), 'deploy', 'grafana-dashboard.json'), 'utf8')
    const queries = [...text.matchAll(/"expr": "((?:[^"\\]|\\.)*)"/g)].map(
      ([, query]) => JSON.parse(`"${query}"`) as string
    )
    assert(queries.length >= 10)
    const { body } = await ask(address, '/metrics', bearer)
    const known = new Set(body.split('\n').flatMap((line) => /^# TYPE (\S+)/.exec(line)?.[1] ?? []))
    for (const query of queries) {
      const names = query.match(/\b(?:loam|libp2p|gossipsub|process|nodejs)_\w+/g) ?? []
      assert(names.length > 0, query)
      for (const name of names)
        assert(known.has(name) || known.has(name.replace(/_(bucket|sum|count)$/, '')), `${name} in ${query}`)
    }
  })

  it('stops in time while clients are connected, one of which never reads, and notifies the others', async () => {
    const { child, lines } = follow('-n', '1')
    await once(lines, 'line')
    const hanging = get(new URL('/v1/events', address), { agent: false, headers: bearer })
    const [stream] = (await once(hanging, 'response')) as [IncomingMessage]
    stream.pause()
    hanging.on('error', () => undefined)
    stream.on('error', () => undefined)
    const said: string[] = []
    child.stderr!.setEncoding('utf8').on('data', (text: string) => said.push(text))
    const ended = once(child, 'exit')
    assert.equal(await network.stop(0), 0)
    assert.deepEqual(await ended, [0, null])
    assert.match(said.join(''), /the daemon has ended/)
    stream.destroy()
    assert(!existsSync(home.control))
    const token = (await readFile(home.controlToken, 'utf8')).trim()
    assert.equal(bearer.authorization, `Bearer ${token}`)
    // Its history and log are read from the files.
    const { rounds } = lastLine<{ rounds: RoundView[] }>(await at('rounds', '--json', '--limit', '1'))
    const { phase, lastSealed } = lastLine<{ phase: string; lastSealed: RoundView }>(
      await at('status', '--json')
    )
    assert.deepEqual([phase, lastSealed.round], ['stopped', rounds[0]!.round])
    assert(lastSealed.round >= 2 && lastSealed.stackDigest !== null)
    // The model of any round can be scored and taken out.
    const scored = await at('eval', '--round', 'best', '--json')
    assert.equal(scored.code, 0, scored.stderr)
    const best = Number(/the model of round (\d+)/.exec(scored.stderr)![1])
    const out = join(home.folder, 'best')
    const exported = lastLine<{ rounds: number[] }>(
      await at('adapter', 'export', '--round', 'best', '--out', out, '--json')
    )
    assert.equal(exported.rounds.at(-1), best)
    const logged = await at('logs', '-n', '3', '--topic', 'peer')
    assert.match(logged.stdout, /info {2}peer {5}/)
    for (const outcome of [await at('status'), await at('rounds')]) assertNarrow(outcome)
  })

  it('has no control API when it is disabled', async () => {
    const settings = JSON.parse(await readFile(home.config, 'utf8')) as object
    await writeFile(home.config, JSON.stringify({ ...settings, control: { enabled: false }, metrics: {} }))
    await network.start(0)
    assert(!existsSync(home.control))
    const { code, stderr } = await at('status')
    assert.equal(code, 1)
    assert.match(stderr, /has no control API/)
  })

  it('serves the control API over a unix socket when one is configured', async function () {
    if (process.platform === 'win32') this.skip()
    await network.stop(0)
    const settings = JSON.parse(await readFile(home.config, 'utf8')) as object
    const socket = join(home.folder, 'control.sock')
    await writeFile(home.config, JSON.stringify({ ...settings, control: { socket } }))
    await network.start(0)
    const killed = lastLine<StatusView>(await at('status', '--json'))
    assert.equal(killed.members, 1)
    // A socket left by a crash is not an obstacle.
    await network.kill(0)
    assert(existsSync(socket))
    await network.start(0)
    assert.equal(lastLine<StatusView>(await at('status', '--json')).peerId, killed.peerId)
  })
})
