import { fork } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Command } from 'commander'
import { type BaseFormat, loadBaseModel } from '../../src/model/index.ts'
import { createCharter } from '../../src/node/consortium/create-charter.ts'
import { createHomeFolders, homeAt } from '../../src/node/home/home.ts'
import { loadOrCreateIdentity, memberCard } from '../../src/node/home/identity.ts'
import type { PeerReport } from '../../src/node/home/peer-report.ts'
import { packageRoot } from '../../src/package-root.ts'
import { encodeCharter } from '../../src/protocol/index.ts'
import { writeRandomFolder } from '../large/random-folder.ts'
import { baseFormats, parseBench, positiveInteger } from '../support/options.ts'
import { SHAPE_110M } from './shape.ts'

/** Interval between two readings of the processes' memory, milliseconds. */
const LOOK_MS = 20
/** Longest wait for the rounds of one run. */
const DEADLINE_MS = 20 * 60_000

interface Peaks {
  /** Bytes of the weights in float32. */
  readonly modelMB: number
  /** Peak resident memory of the daemon, of the trainer, and of both at the same time. */
  readonly daemonMB: number
  readonly trainerMB: number
  readonly togetherMB: number
}

const options = parseBench<{ layers: number; rounds: number; formats: readonly BaseFormat[] }>(
  new Command('npm run bench -- peer-memory')
    .description(
      'Runs a peer, a consortium of its own, for some rounds on random weights, and watches the resident memory of the ' +
        'daemon (which stacks and merges) and of its trainer together. The same peer on the shipped model, which is small, ' +
        "shows what both processes need whatever the model is; the difference is held against the model's size in float32."
    )
    .option('--layers <n>', 'layers of the 110M shape', positiveInteger, 12)
    .option('--rounds <n>', 'rounds to watch', positiveInteger, 3)
    .option('--formats <list>', 'forms of the base weights, with commas', baseFormats, ['f32', 'int8']),
  ['npm run bench -- peer-memory', 'npm run bench -- peer-memory --layers 4 --formats f32 --json']
)
const say = options.json ? console.error : console.log
const folder = mkdtempSync(join(tmpdir(), 'loam-peer-memory-'))
try {
  const model = join(folder, 'model')
  writeRandomFolder(model, { ...SHAPE_110M, layers: options.layers })
  const rows = []
  for (const format of options.formats) {
    const small = await runPeer(join(packageRoot(), 'models', 'loam-base-1m'), format, `small-${format}`)
    const peaks = await runPeer(model, format, `large-${format}`)
    const copies = (peaks.togetherMB - small.togetherMB) / (peaks.modelMB - small.modelMB)
    rows.push({ format, ...peaks, bareMB: small.togetherMB, copies })
    say(
      `base held as ${format}: daemon ${peaks.daemonMB.toFixed(0)} MB, trainer ${peaks.trainerMB.toFixed(0)} MB, together at most ` +
        `${peaks.togetherMB.toFixed(0)} MB; with the shipped model ${small.togetherMB.toFixed(0)} MB: the difference is ` +
        `${copies.toFixed(2)} times the model's ${peaks.modelMB.toFixed(0)} MB in float32`
    )
  }
  if (options.json) console.log(JSON.stringify({ rows }))
} finally {
  rmSync(folder, { recursive: true, force: true })
}

async function runPeer(model: string, format: string, name: string): Promise<Peaks> {
  const home = homeAt(join(folder, name))
  await createHomeFolders(home)
  const identity = await loadOrCreateIdentity(home.identity)
  const base = loadBaseModel(model)
  const modelBytes = [...base.weights.values()].reduce((sum, { data }) => sum + data.byteLength, 0)
  const charter = await createCharter({
    name: 'one',
    members: [memberCard(identity)],
    base,
    targetModules: ['all-linear']
  })
  writeFileSync(home.charter, encodeCharter(charter, [identity.signer]))
  const lines = Array.from(
    { length: 8 },
    (_, index) => `{"text":"The ship sailed on day ${index}, and on."}\n`
  )
  writeFileSync(home.documents, lines.join(''))
  const flags = { model, steps: 2, 'batch-size': 1, 'sequence-length': 32, 'base-format': format }
  const args = Object.entries(flags).flatMap(([flag, value]) => [`--${flag}`, String(value)])
  const main = fileURLToPath(new URL('../../src/cli/main.js', import.meta.url))
  const peer = fork(
    main,
    ['peer', '--home', home.folder, '--listen', '/ip4/127.0.0.1/tcp/0', '--no-mdns', ...args],
    { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] }
  )
  const peaks = { daemonMB: 0, trainerMB: 0, togetherMB: 0 }
  const look = (): void => {
    const daemon = residentMb(peer.pid!)
    const trainer = childrenOf(peer.pid!).reduce((sum, pid) => sum + residentMb(pid), 0)
    peaks.daemonMB = Math.max(peaks.daemonMB, daemon)
    peaks.trainerMB = Math.max(peaks.trainerMB, trainer)
    peaks.togetherMB = Math.max(peaks.togetherMB, daemon + trainer)
  }
  const looking = setInterval(look, LOOK_MS)
  try {
    await new Promise<void>((resolve, reject) => {
      const late = setTimeout(() => reject(new Error(`${name}: not sealed in time`)), DEADLINE_MS)
      peer.on('message', (report: PeerReport) => {
        if (report.type !== 'sealed' || report.round < options.rounds) return
        clearTimeout(late)
        resolve()
      })
      peer.on('exit', (code) => reject(new Error(`${name}: the peer ended with exit code ${code}`)))
    })
  } finally {
    clearInterval(looking)
    peer.removeAllListeners('exit')
    if (peer.exitCode === null) {
      const ended = new Promise((resolve) => peer.once('exit', resolve))
      peer.kill('SIGTERM')
      await ended
    }
  }
  return { modelMB: modelBytes / 1e6, ...peaks }
}

function residentMb(pid: number): number {
  try {
    const [, kilobytes] = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? []
    return (Number(kilobytes ?? 0) * 1024) / 1e6
  } catch {
    return 0
  }
}

function childrenOf(pid: number): number[] {
  try {
    return readdirSync(`/proc/${pid}/task`).flatMap((thread) =>
      readFileSync(`/proc/${pid}/task/${thread}/children`, 'utf8').split(' ').filter(Boolean).map(Number)
    )
  } catch {
    return []
  }
}
