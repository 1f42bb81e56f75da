import { mkdir, readdir } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { exportPeft } from '../../src/node/export-adapter.ts'
import { evaluateLosses } from './evaluate-losses.ts'
import { createDisplay } from './live-table.ts'
import { NetworkRun } from './network-run.ts'
import type { TestnetOptions } from './options.ts'
import { prepareTestnet } from './prepare-homes.ts'
import { hasAgreed, reportRounds, type TestnetReport } from './report.ts'
import { trainStandalone } from './standalone.ts'

/** Rounds that peers may take before the network counts as stuck, seconds each. */
const ROUND_SECONDS_MAX = 900

/**
 * Runs a whole network on this machine: prepares homes, starts every peer as a process, waits until all rounds are
 * sealed, then compares the global model with the base and with what each peer gets alone.
 *
 * @param stream where progress goes: a live table in a terminal, plain lines elsewhere
 * @throws when a peer ends, halts or does not agree, the folder is not empty, or the signal aborts; every child is stopped
 */
export async function runTestnet(
  options: TestnetOptions,
  stream: NodeJS.WriteStream,
  signal: AbortSignal
): Promise<TestnetReport> {
  await mkdir(options.folder, { recursive: true })
  if ((await readdir(options.folder)).length > 0)
    throw new Error(`${options.folder} is not empty: choose another folder with --out`)
  let run: NetworkRun | undefined
  const display = createDisplay(stream, () => run?.views ?? [])
  display.say(`Loam testnet in ${options.folder}`)
  const prepared = await prepareTestnet(options, display.say)
  signal.throwIfAborted()
  run = new NetworkRun(prepared, display.change)
  const deadline = AbortSignal.timeout(options.rounds * ROUND_SECONDS_MAX * 1000)
  try {
    await run.start()
    await run.untilSealed(options.rounds, AbortSignal.any([signal, deadline]))
  } finally {
    display.close()
    await run.stop()
  }
  const rounds = reportRounds(run.views)
  if (!hasAgreed(rounds, options.rounds)) throw new Error('the peers do not agree on every digest')
  const adapter = join(options.folder, 'adapter')
  await exportPeft(prepared.peers[0]!.home, adapter, options.model)

  const say = (line: string) => stream.write(`${line}\n`)
  say('all rounds are sealed; training every peer alone for comparison')
  const atOnce = Math.max(1, Math.floor(availableParallelism() / options.threads))
  const onStandalone = (peer: { index: number }, step: number, steps: number) => {
    if (step % Math.ceil(steps / 4) === 0) say(`peer ${peer.index} alone: step ${step}/${steps}`)
  }
  const standalone = await trainStandalone(prepared, options, atOnce, onStandalone, signal)
  const onScored = (domain: string) => say(`scored ${domain}`)
  const loss = await evaluateLosses(prepared, options, adapter, standalone, onScored, signal)
  return { ...rounds, loss, adapter }
}
