import { mkdir } from 'node:fs/promises'
import type { ChannelListener, TrainerChannel } from './channel.ts'
import { TrainerConnection } from './connection.ts'
import { openFolderChannel } from './folder-channel.ts'
import { trainerFolders } from './job-folders.ts'
import { startProcessChannel } from './process-channel.ts'

/** Used instead of a command if the trainer is started elsewhere and finds the daemon through the home. */
export const ATTACH = 'attach'

/**
 * Opens a connection to the trainer of a setting: a shell command, or {@link ATTACH}. Its human-readable output goes to
 * standard error.
 */
export function openTrainer(trainer: string, home: string): TrainerConnection {
  const { root } = trainerFolders(home)
  const isStarted = trainer !== ATTACH
  const open = async (to: ChannelListener): Promise<TrainerChannel> => {
    await mkdir(root, { recursive: true, mode: 0o700 })
    return isStarted ? startProcessChannel(trainer, to) : openFolderChannel(root, to)
  }
  const onOutput = (line: string) => process.stderr.write(`trainer: ${line}\n`)
  return new TrainerConnection({ open, isStarted, onOutput })
}
