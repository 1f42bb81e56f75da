import { open, readFile, rename } from 'node:fs/promises'
import { z } from 'zod'
import { decodeSafetensors, encodeSafetensors } from '../../formats/safetensors/safetensors.ts'
import type { TensorMap } from '../../formats/tensor.ts'
import type { EarlyStopState } from './early-stop.ts'

/** The state of a run between two steps, from which it continues with the same bits. */
export interface Checkpoint {
  /** Settings of the run; a checkpoint with other settings is refused. */
  readonly settings: Readonly<Record<string, unknown>>
  /** Number of updates done. */
  readonly step: number
  /** Number of targets learned so far. */
  readonly tokens: number
  readonly firstLoss: number
  readonly lastLoss: number
  /** Held-out loss before the first update, if there are held-out examples. */
  readonly heldOutBefore?: number | undefined
  readonly earlyStop: EarlyStopState
  /** The trainer's state. */
  readonly tensors: TensorMap
  /** Factors of the best adapter so far, by name, if the run may stop early. */
  readonly best?: TensorMap | undefined
}

/** Thrown for a checkpoint that cannot be resumed. */
export class CheckpointError extends Error {
  override readonly name = 'CheckpointError'
}

const BEST = 'best/'
const loss = z.number()
const headerSchema = z.object({
  version: z.literal(1),
  settings: z.record(z.string(), z.unknown()),
  step: z.int().nonnegative(),
  tokens: z.int().nonnegative(),
  firstLoss: loss,
  lastLoss: loss,
  heldOutBefore: loss.optional(),
  earlyStop: z.object({ best: z.object({ loss, step: z.int() }).optional(), since: z.int() })
})

/** Writes a checkpoint atomically: after a crash, the file is either the old or the new one. */
export async function writeCheckpoint(path: string, checkpoint: Checkpoint): Promise<void> {
  const { tensors, best, ...header } = checkpoint
  const all = new Map(tensors)
  for (const [name, tensor] of best ?? []) all.set(`${BEST}${name}`, tensor)
  const metadata = { checkpoint: JSON.stringify({ version: 1, ...header }) }
  const temporary = `${path}.tmp`
  const file = await open(temporary, 'w')
  try {
    await file.writeFile(encodeSafetensors(all, { metadata }))
    await file.sync()
  } finally {
    await file.close()
  }
  await rename(temporary, path)
}

/**
 * Reads a checkpoint of a run with these settings.
 *
 * @returns undefined if there is none
 * @throws {CheckpointError} when it is damaged, or belongs to a run with other settings; the message names them
 */
export async function readCheckpoint(
  path: string,
  settings: Readonly<Record<string, unknown>>
): Promise<Checkpoint | undefined> {
  const bytes = await readFile(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined
    throw error
  })
  if (bytes === undefined) return undefined
  const { header, tensors } = decode(path, bytes)
  const differing = Object.keys({ ...settings, ...header.settings }).filter(
    (key) => JSON.stringify(settings[key]) !== JSON.stringify(header.settings[key])
  )
  if (differing.length > 0) {
    const [key] = differing as [string]
    throw new CheckpointError(
      `${path} is from a run with other settings (${differing.join(', ')}: ${JSON.stringify(header.settings[key])} then, ` +
        `${JSON.stringify(settings[key])} now): use those again, or another --out`
    )
  }
  const ofRun = [...tensors].filter(([name]) => !name.startsWith(BEST))
  const best = [...tensors].filter(([name]) => name.startsWith(BEST))
  return {
    ...header,
    tensors: new Map(ofRun),
    ...(best.length > 0 && { best: new Map(best.map(([name, tensor]) => [name.slice(BEST.length), tensor])) })
  }
}

function decode(path: string, bytes: Uint8Array) {
  try {
    const { tensors, metadata } = decodeSafetensors(bytes)
    return { tensors, header: headerSchema.parse(JSON.parse(metadata.checkpoint ?? '')) }
  } catch {
    throw new CheckpointError(
      `${path} is damaged or not a checkpoint of this version: remove it to start over`
    )
  }
}
