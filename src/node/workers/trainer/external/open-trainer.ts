import { mkdir } from 'node:fs/promises'
import type { ChannelListener, TrainerChannel } from './channel.ts'
import { TrainerConnection } from './connection.ts'
import { openFolderChannel } from './folder-channel.ts'
import { trainerFolders } from './job-folders.ts'
import { startProcessChannel } from './process-channel.ts'

/** In place of a command: the trainer runs already, and finds the daemon through the home. */
export const ATTACH = 'attach'

/**
 * A connection to the trainer of a setting: a command for the shell, or {@link ATTACH}. What it prints for people goes to
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
