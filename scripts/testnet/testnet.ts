import { mkdir, readdir } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { chooseExecutor } from '../../src/model/index.ts'
import { exportPeft } from '../../src/node/export/export-adapter.ts'
import { evaluateLosses } from './evaluate-losses.ts'
import { createDisplay, type Display } from './live-table.ts'
import { NetworkRun, type PeerView } from './network-run.ts'
import type { TestnetOptions } from './options.ts'
import { type PreparedTestnet, prepareTestnet } from './prepare-homes.ts'
import { hasAgreed, reportRounds, type TestnetReport } from './report.ts'
import { completeFromDisk } from './sealed-on-disk.ts'
import { trainStandalone } from './standalone.ts'

/** Seconds per round after which the network counts as stuck. */
const ROUND_SECONDS_MAX = 900

/**
 * Runs a whole network on this machine: prepares homes, starts every peer as a process, waits until all rounds are
 * sealed, then compares the global model with the base and with what each peer achieves alone.
 *
 * @param stream destination of progress: a live table in a terminal, plain lines elsewhere
 * @throws when a peer ends, halts or disagrees, the folder is not empty, or the signal aborts; all children are stopped
 */
export async function runTestnet(
  options: TestnetOptions,
  stream: NodeJS.WriteStream,
  signal: AbortSignal
): Promise<TestnetReport> {
  await mkdir(options.folder, { recursive: true })
  if ((await readdir(options.folder)).length > 0)
    throw new Error(`${options.folder} is not empty: choose another folder with --out`)
  let views: readonly PeerView[] = []
  const display = createDisplay(stream, () => views)
  display.say(`Loam testnet in ${options.folder}`)
  // Missing files are reported before anything is created.
  await chooseExecutor({ ...options, onFallback: display.say })
  const prepared = await prepareTestnet(options, display.say)
  signal.throwIfAborted()
  const run = new NetworkRun(prepared, display.change, display.say)
  views = run.views
  const deadline = AbortSignal.timeout(options.rounds * ROUND_SECONDS_MAX * 1000)
  try {
    await run.start()
    const patience = AbortSignal.any([signal, deadline])
    const isDone = ({ ended, sealed }: PeerView) => ended !== undefined || sealed.length >= options.rounds
    await run.until(() => views.every(isDone), patience)
    for (const view of run.views)
      if (view.sealed.length < options.rounds) await completeFromDisk(view, options.rounds, patience)
    await run.stop()
    const rounds = reportRounds(run.views)
    if (!hasAgreed(rounds, options.rounds)) throw new Error('the peers do not agree on every digest')
    const adapter = join(options.folder, 'adapter')
    await exportPeft(prepared.peers[0]!.home, adapter, options.model)
    const loss = await compare(prepared, options, adapter, display, signal)
    return { ...rounds, loss, adapter }
  } finally {
    display.close()
    await run.stop()
  }
}

/** Trains every peer alone, then scores the base, the global model and every peer's own adapter on every domain. */
async function compare(
  prepared: PreparedTestnet,
  options: TestnetOptions,
  adapter: string,
  display: Display,
  signal: AbortSignal
): Promise<TestnetReport['loss']> {
  const atOnce = Math.max(1, Math.floor(availableParallelism() / options.threads))
  const standalone = await trainStandalone(
    prepared,
    options,
    atOnce,
    ({ index }, step, steps) => display.work(`peer ${index} alone, for comparison: step`, step, steps),
    signal
  )
  let scored = 0
  const onScored = () => display.work('scoring: domain', ++scored, options.peers)
  return evaluateLosses(prepared, options, adapter, standalone, onScored, signal)
}
