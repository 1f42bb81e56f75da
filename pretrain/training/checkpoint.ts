import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  writeSync
} from 'node:fs'
import { join } from 'node:path'
import { decodeSafetensors, encodeSafetensors } from '../../src/formats/safetensors/safetensors.ts'
import type { TrainerState } from '../../src/model/index.ts'
import { continues, type Recipe } from './recipe.ts'

const CHECKPOINT_FILE = 'checkpoint.safetensors'

/** Loss on the held-out documents after a step, nats per token. */
export interface HeldOutLoss {
  readonly step: number
  readonly nats: number
}

/** The state from which an interrupted run resumes. */
export interface Checkpoint {
  readonly state: TrainerState
  /** Seconds of training so far, over all sessions. */
  readonly seconds: number
  /** Held-out losses measured so far, over all sessions. */
  readonly heldOutLosses: readonly HeldOutLoss[]
}

/**
 * Writes weights, moments and step to a temporary file in `folder`, syncs and renames it. A crash leaves the last
 * complete checkpoint in place.
 */
export function saveCheckpoint(folder: string, recipe: Recipe, checkpoint: Checkpoint): void {
  mkdirSync(folder, { recursive: true })
  const path = join(folder, CHECKPOINT_FILE)
  const { state, seconds, heldOutLosses } = checkpoint
  const metadata = {
    recipe: JSON.stringify(recipe),
    step: String(state.step),
    seconds: String(seconds),
    heldOutLosses: JSON.stringify(heldOutLosses)
  }
  const bytes = encodeSafetensors(state.tensors, { metadata })
  const file = openSync(`${path}.part`, 'w')
  try {
    for (let written = 0; written < bytes.length; ) written += writeSync(file, bytes, written)
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
  renameSync(`${path}.part`, path)
}

/**
 * The checkpoint in `folder`, or `undefined` if there is none. The recipe may differ in the remaining steps.
 *
 * @throws {Error} if it belongs to a recipe that cannot be continued
 */
export function loadCheckpoint(folder: string, recipe: Recipe): Checkpoint | undefined {
  const path = join(folder, CHECKPOINT_FILE)
  if (!existsSync(path)) return undefined
  const { tensors, metadata } = decodeSafetensors(readFileSync(path))
  const former = JSON.parse(metadata.recipe ?? 'null') as Recipe | null
  const step = Number(metadata.step)
  if (former === null || !continues(former, recipe, step)) {
    throw new Error(
      `${path} belongs to another recipe (${metadata.recipe ?? 'none recorded'}): ` +
        'pass its original options, or another --work folder'
    )
  }
  const heldOutLosses = JSON.parse(metadata.heldOutLosses ?? '[]') as HeldOutLoss[]
  return { state: { step, tensors }, seconds: Number(metadata.seconds), heldOutLosses }
}
