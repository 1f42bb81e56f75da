import { Command } from 'commander'
import { addFlagsOf, settingsOfFlags } from '../options/setting-flags.ts'

interface TrainerFlags {
  attach?: string
}

const SETTINGS = [
  'training.threads',
  'training.executor',
  'training.device',
  'training.baseFormat',
  'training.recompute'
]

/** `loam trainer`: Loam's engine behind the contract of external trainers. */
export function trainerCommand(): Command {
  const command = new Command('trainer')
  return addFlagsOf(command, ...SETTINGS)
    .option('--attach <home>', 'serve the peer of this home, on a file system that both see')
    .addHelpText(
      'after',
      `
Without --attach it talks over standard input and output, as a peer's --trainer
expects. The contract is in docs/trainers.md.

Examples:
  $ loam peer --home ~/.loam --trainer 'loam trainer --threads 4'
  $ loam peer --home /shared/loam --trainer attach
  $ srun loam trainer --attach /shared/loam --threads 16`
    )
    .action(async (flags: TrainerFlags) => {
      const { trainingSettings } = await import('../../node/config/index.ts')
      const { serveEngine } = await import('../../node/workers/trainer/service/serve-engine.ts')
      const { attachToHome, standardStreams } = await import(
        '../../node/workers/trainer/service/trainer-end.ts'
      )
      const given = Object.entries(settingsOfFlags(command, { ...flags })).map(([key, value]) => [
        key.replace('training.', ''),
        value
      ])
      const settings = trainingSettings.parse(Object.fromEntries(given))
      // The peer decides when a trainer that it started ends: by closing standard input.
      if (flags.attach === undefined) return serveEngine(standardStreams(), settings)
      const stopping = new AbortController()
      for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stopping.abort())
      return attachToHome(flags.attach, (end) => serveEngine(end, settings), stopping.signal)
    })
}
