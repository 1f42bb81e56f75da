import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { cp, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'
import type { TestnetReport } from '../../../scripts/testnet/index.ts'
import {
  cappedSamples,
  clipFactors,
  decodeAdapterFile,
  type LoraPair,
  peftKey,
  updateNorm
} from '../../../src/adapter/index.ts'
import { decodeSafetensors, sha256Hex } from '../../../src/formats/index.ts'
import { homeAt, roundFiles } from '../../../src/node/home/home.ts'
import { commandFile } from '../../../src/package-root.ts'
import { post } from '../../integration/prada/sse.ts'
import { listedDigest } from '../../unit/formats/digest/listed-digest.ts'
import { startServe } from '../cli/serve-process.ts'

const loam = (...args: string[]) =>
  promisify(execFile)(process.execPath, [commandFile(), ...args], {
    maxBuffer: 64 * 1024 * 1024
  })

/** W[i][j] += scale · (B · A)[i][j] in float64. */
function addProduct(W: Float64Array, scale: number, { rank, inFeatures, outFeatures, A, B }: LoraPair): void {
  for (let i = 0; i < outFeatures; i++)
    for (let k = 0; k < rank; k++)
      for (let j = 0; j < inFeatures; j++)
        W[i * inFeatures + j]! += scale * B[i * rank + k]! * A[k * inFeatures + j]!
}

describe('loam testnet', function () {
  this.timeout(300_000)
  let folder: string
  let report: TestnetReport

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'loam-test-'))
    const small = ['--steps', '6', '--batch-size', '2', '--sequence-length', '32']
    const { stdout } = await loam(
      'testnet',
      '--peers',
      '3',
      '--rounds',
      '2',
      ...small,
      '--out',
      join(folder, 'run'),
      '--json'
    )
    report = JSON.parse(stdout.trim().split('\n').at(-1)!)
  })
  after(() => rm(folder, { recursive: true, force: true }))

  it('ends with the same digests for all peers in every round, equal to those of the files', async () => {
    assert.equal(report.rounds.length, 2)
    for (const { home, stackDigests, modelDigests } of report.peers) {
      assert.deepEqual(
        stackDigests,
        report.rounds.map(({ stackDigest }) => stackDigest)
      )
      assert.deepEqual(
        modelDigests,
        report.rounds.map(({ modelDigest }) => modelDigest)
      )
      for (const { round, stackDigest, modelDigest } of report.rounds) {
        const files = roundFiles(homeAt(home), round)
        assert.equal(sha256Hex(await readFile(files.stack)), stackDigest)
        assert.equal(listedDigest(await readFile(files.model)).toString('hex'), modelDigest)
      }
    }
  })

  it('stacks the sum of p_k s_k B_k A_k over the cut, clipped to the median, as recomputed in float64', async () => {
    for (const { round, cut } of report.rounds) {
      assert.equal(cut.length, 3)
      const locals = await Promise.all(
        cut.map(async ({ peerId }) => {
          const { home } = report.peers.find((peer) => peer.peerId === peerId)!
          return decodeAdapterFile(await readFile(roundFiles(homeAt(home), round).local))
        })
      )
      const counts = cappedSamples(
        cut.map(({ samples }) => samples),
        'median'
      )
      const clipped = clipFactors(locals, (pair) => updateNorm(pair))
      const total = counts.reduce((sum, count) => sum + count, 0)
      const stack = decodeSafetensors(
        await readFile(roundFiles(homeAt(report.peers[0]!.home), round).stack)
      ).tensors
      for (const { module, inFeatures, outFeatures } of locals[0]!.adapter.pairs) {
        const expected = new Float64Array(outFeatures * inFeatures)
        for (const [index, { adapter }] of locals.entries()) {
          const pair = adapter.pairs.find((candidate) => candidate.module === module)!
          const scale = (pair.alpha / pair.rank) * clipped.get(pair)!
          addProduct(expected, (counts[index]! / total) * scale, pair)
        }
        const A = stack.get(peftKey(module, 'A'))!
        const B = stack.get(peftKey(module, 'B'))!
        const actual = new Float64Array(expected.length)
        const rank = A.shape[0]!
        addProduct(actual, 1, { module, rank, alpha: rank, inFeatures, outFeatures, A: A.data, B: B.data })
        const error = Math.hypot(...expected.map((value, index) => value - actual[index]!))
        assert.ok(
          error <= 1e-6 * Math.hypot(...expected),
          `${module}: relative error ${error / Math.hypot(...expected)}`
        )
      }
    }
  })

  it('reports the global loss that loam eval measures with the exported adapter', async () => {
    for (const { domain, home } of report.peers) {
      const text = join(home, 'heldout.txt')
      const { stdout } = await loam('eval', '--adapter', report.adapter, '--text', text, '--json')
      assert.ok(Math.abs(JSON.parse(stdout).nats - report.loss[domain]!.global) <= 1e-4, domain)
    }
  })

  it('gives the same loss with the merged model and with an imported base', async () => {
    const { domain, home } = report.peers[0]!
    const text = join(home, 'heldout.txt')
    const exported = async (format: string, ...flags: string[]) => {
      const out = join(folder, format)
      const args = ['--home', home, '--format', format, '--out', out, '--json', ...flags]
      const { stdout } = await loam('adapter', 'export', ...args)
      return JSON.parse(stdout) as { folder: string; rounds: number[]; rank: number; error: number }
    }
    const merged = await exported('merged')
    assert.deepEqual([merged.rounds, merged.error], [[1, 2], 0])
    const gguf = await exported('gguf', '--rounds', '2', '--max-rank', '4')
    assert.deepEqual([gguf.rounds, gguf.rank], [[2], 4])
    assert.ok(gguf.error > 0 && gguf.error < 1)
    const warm = join(folder, 'warm')
    await loam('adapter', 'import', report.adapter, '--out', warm)
    for (const model of [merged.folder, warm]) {
      const { stdout } = await loam('eval', '--model', model, '--text', text, '--json')
      assert.ok(Math.abs(JSON.parse(stdout).nats - report.loss[domain]!.global) <= 1e-4)
    }
  })

  it('steers a remote with the sealed adapter in loam serve, which loads a new seal while it runs', async () => {
    const { home } = report.peers[0]!
    const copy = join(folder, 'copy')
    await cp(home, copy, { recursive: true })
    await rename(join(copy, 'rounds', '2'), join(folder, 'round-2'))
    const remote = await startServe({})
    const steered = await startServe({}, '--home', copy, '--remote', remote.url, '--json')
    const sealedRound = async (): Promise<number> => {
      const text = await (await fetch(`${steered.url}/metrics`)).text()
      return Number(/^loam_serve_sealed_round (\d+)$/m.exec(text)![1])
    }
    const fingerprint = async (): Promise<string> => {
      const model = 'loam-base-1m+testnet'
      const response = await post(`${steered.url}/v1/completions`, { model, prompt: 'The', max_tokens: 4 })
      const answer = (await response.json()) as { system_fingerprint: string; choices: { exact: boolean }[] }
      assert.equal(answer.choices[0]!.exact, true)
      return answer.system_fingerprint
    }
    assert.equal(await sealedRound(), 1)
    const before = await fingerprint()
    await rename(join(folder, 'round-2'), join(copy, 'rounds', '2'))
    while ((await sealedRound()) !== 2) await delay(20)
    assert.notEqual(await fingerprint(), before)
    // The remote is the consortium's base: with the offset of the adapter it is the global model.
    const text = join(folder, 'beginning.txt')
    await writeFile(text, (await readFile(join(home, 'heldout.txt'), 'utf8')).slice(0, 2_000))
    const [combined, adapted] = await Promise.all([
      loam('eval', '--home', copy, '--remote', remote.url, '--text', text, '--json'),
      loam('eval', '--adapter', report.adapter, '--text', text, '--json')
    ])
    const [found, expected] = [combined, adapted].map(({ stdout }) => JSON.parse(stdout).nats as number)
    assert.ok(Math.abs(found! - expected!) <= 1e-3, `${found} and ${expected}`)
    const stopped = await steered.stop()
    assert.equal(stopped.code, 0, stopped.stderr)
    assert.equal((await remote.stop()).code, 0)
  })

  it('refuses a folder that is not empty and invalid flags, with exit codes 1 and 2', async () => {
    await assert.rejects(loam('testnet', '--out', folder), (error: { code: number; stderr: string }) => {
      assert.equal(error.code, 1)
      assert.match(error.stderr, /is not empty/)
      return true
    })
    for (const flags of [
      ['--peers', '1'],
      ['--peers', '17'],
      ['--rounds', 'x'],
      ['--ranks', ''],
      ['--nonsense']
    ]) {
      await assert.rejects(loam('testnet', ...flags), (error: { code: number }) => error.code === 2)
    }
  })
})
