import assert from 'node:assert/strict'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { packageRoot } from '../../src/package-root.ts'
import { type FolderSize, folderSize } from './folder-size.ts'
import type { RunCommand } from './run-command.ts'

const MB = 1e6
/** Maximum total file size of an installation. */
const DEFAULT_BYTES_MAX = 450 * MB
const WITHOUT_ENGINES_BYTES_MAX = 100 * MB

/** A short testnet, since the installation is what is tested. */
const TINY = ['--ranks', '2', '--steps', '2', '--batch-size', '1', '--sequence-length', '32']

/** Commands that need no engine, which a new user would try first. */
const HELP = [['--help'], ['relay', '--help'], ['status', '--help'], ['verify', '--help']]

/** The tarball, and how to run commands. */
export interface Installing {
  /** An empty folder. */
  readonly folder: string
  readonly tarball: string
  readonly run: RunCommand
  /** The same for a command that may fail. */
  readonly tryToRun: RunCommand
}

/** `npm install TARBALL` with default settings: the WebAssembly engine serves, and a whole network runs. */
export async function checkDefault({ folder, tarball, run }: Installing): Promise<FolderSize> {
  await mkdir(folder)
  await run(folder, 'npm', 'install', tarball)
  const size = await boundedSize(folder, DEFAULT_BYTES_MAX)
  for (const help of HELP) await run(folder, 'npx', 'loam', ...help)
  await requireExports(folder, run)
  await requireTypes(folder, run)
  const { executors, warnings } = await doctor(folder, run)
  assert.equal(defaultOf(executors), 'onnxruntime-web')
  assert.match(
    warnings.join('\n'),
    /onnxruntime.* is installed by: npm install --ignore-scripts onnxruntime-node@/
  )
  const testnet = ['testnet', '--peers', '2', '--rounds', '1', ...TINY, '--out', 'network', '--json']
  const { stdout } = await run(folder, 'npx', 'loam', ...testnet)
  const { rounds } = JSON.parse(stdout.trim().split('\n').at(-1)!) as { rounds: readonly unknown[] }
  assert.equal(rounds.length, 1)
  const log = await readFile(join(folder, 'network', 'peer-0', 'daemon.log'), 'utf8')
  assert.match(log, /training without the native engine/)
  await run(folder, 'npx', 'loam', 'verify', 'network/peer-0', '--against', 'network/peer-1')
  return size
}

/** The command that `loam doctor` names adds the native engine, which is the default from then on. */
export async function checkNativeAdded({ folder, run }: Installing): Promise<FolderSize> {
  const { executors } = await doctor(folder, run)
  const { install } = executors.find(
    ({ executor, device }) => executor === 'onnxruntime' && device === 'cpu'
  )!
  assert.ok(install !== undefined)
  await run(folder, ...install.split(' '))
  assert.equal(defaultOf((await doctor(folder, run)).executors), 'onnxruntime')
  return folderSize(join(folder, 'node_modules'))
}

/**
 * `npm install --omit=optional TARBALL`: commands that need no engine work, and the others say what to install.
 *
 * @param network folder of a testnet that was run
 */
export async function checkWithoutEngines(
  { folder, tarball, run, tryToRun }: Installing,
  network: string
): Promise<FolderSize> {
  await mkdir(folder)
  await run(folder, 'npm', 'install', '--omit=optional', tarball)
  const size = await boundedSize(folder, WITHOUT_ENGINES_BYTES_MAX)
  for (const help of HELP) await run(folder, 'npx', 'loam', ...help)
  await requireExports(folder, run)
  const charter = join(network, 'charter.cbor')
  await run(folder, 'npx', 'loam', 'consortium', 'inspect', charter)
  await run(folder, 'npx', 'loam', 'verify', join(network, 'peer-0'))
  const relay = [
    'relay',
    '--home',
    'relay',
    '--charter',
    charter,
    '--listen',
    '/ip4/127.0.0.1/tcp/0',
    '--upnp'
  ]
  await requireRefusal(tryToRun, folder, relay, /UPnP needs the optional package/)
  const testnet = ['testnet', '--peers', '2', '--rounds', '1']
  await requireRefusal(tryToRun, folder, testnet, /onnxruntime-web is not installed.*loam doctor/)
  return size
}

/** A command that needs something not installed says so. */
async function requireRefusal(
  tryToRun: RunCommand,
  folder: string,
  command: readonly string[],
  reason: RegExp
): Promise<void> {
  const { code, stderr } = await tryToRun(folder, 'npx', 'loam', ...command)
  assert.equal(code, 1)
  assert.match(stderr, reason)
}

/** Every entry of `exports` can be imported. */
async function requireExports(folder: string, run: RunCommand): Promise<void> {
  const { exports } = JSON.parse(await readFile(join(packageRoot(), 'package.json'), 'utf8')) as {
    exports: Readonly<Record<string, unknown>>
  }
  const names = Object.keys(exports).filter((name) => name !== './package.json')
  const imports = names.map((name) => `await import('loam-net${name.slice(1)}')`)
  await run(folder, 'node', '--input-type=module', '--eval', imports.join('; '))
}

/** A user's program that watches a peer; a missing type would be `any`, which matches everything. */
const CONSUMER = `import { type ControlClient, connectControl, homeAt, type StatusView } from 'loam-net/control'
import { decodeSafetensors } from 'loam-net/formats'
const control: ControlClient = await connectControl(homeAt('/srv/loam'))
const { round } = await control.get<StatusView>('/v1/status')
// @ts-expect-error a number
const text: string = round
console.log(text, decodeSafetensors)
`

/** This clone's compiler finds the types of the exports. */
async function requireTypes(folder: string, run: RunCommand): Promise<void> {
  await writeFile(join(folder, 'consumer.mts'), CONSUMER)
  const compiler = join(packageRoot(), 'node_modules', 'typescript', 'bin', 'tsc')
  const settings = ['--noEmit', '--strict', '--skipLibCheck', '--target', 'es2023', '--module', 'nodenext']
  await run(folder, 'node', compiler, ...settings, '--types', 'node', 'consumer.mts')
}

async function boundedSize(folder: string, maximum: number): Promise<FolderSize> {
  const size = await folderSize(join(folder, 'node_modules'))
  assert.ok(
    size.bytes <= maximum,
    `the installation takes ${(size.bytes / MB).toFixed(1)} MB, more than ${maximum / MB}`
  )
  return size
}

interface Diagnosis {
  readonly executors: readonly {
    readonly executor: string
    readonly device: string
    readonly default: boolean
    readonly install?: string
  }[]
  readonly warnings: readonly string[]
}

async function doctor(folder: string, run: RunCommand): Promise<Diagnosis> {
  const { stdout } = await run(folder, 'npx', 'loam', 'doctor', '--only', 'executors', '--json')
  return JSON.parse(stdout.trim().split('\n').at(-1)!) as Diagnosis
}

function defaultOf(executors: Diagnosis['executors']): string | undefined {
  return executors.find((each) => each.default)?.executor
}
