import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import type { z } from 'zod'
import type { testnetSettingsSchema } from '../../../../scripts/testnet/options.ts'
import { renderReport } from '../../../../scripts/testnet/report.ts'
import { runTestnet } from '../../../../scripts/testnet/testnet.ts'
import { executorFromFlags } from '../../options/executor-options.ts'
import { baseModelFolder } from '../../options/shipped-model.ts'
import { type OutputOptions, printProgress, printResult } from '../../terminal/output.ts'

/** Runs a testnet and prints its report. */
export async function runCommand(
  { out, model, ...settings }: z.infer<typeof testnetSettingsSchema>,
  output: OutputOptions
): Promise<void> {
  // An executor that does not work here is one error now instead of one per peer.
  await executorFromFlags(settings)
  const folder = out === undefined ? await mkdtemp(join(tmpdir(), 'loam-testnet-')) : resolve(out)
  const interrupt = new AbortController()
  const onSignal = () => {
    printProgress('\nstopping every peer ...')
    interrupt.abort(new Error('interrupted'))
  }
  // This listener stays: with none left, the library that hides the cursor would end this process at once.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, onSignal)
  const options = { ...settings, model: baseModelFolder(model), folder }
  const began = performance.now()
  try {
    const stream = output.json === true ? process.stderr : process.stdout
    const report = await runTestnet(options, stream, interrupt.signal)
    const seconds = ((performance.now() - began) / 1000).toFixed(0)
    printResult(report, output, () => `\n${renderReport(report)}\nhomes    ${folder}\ntook     ${seconds} s`)
  } catch (error) {
    printProgress(`the homes are in ${folder}; each has a daemon.log`)
    throw error
  } finally {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.off(signal, onSignal)
  }
}
