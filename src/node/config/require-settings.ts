import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { readJsonObject } from '../../formats/hugging-face/read-json.ts'
import { parseModelConfig } from '../../model/families/index.ts'
import { checkCorpus, loadTokenizer } from '../../model/index.ts'
import type { Charter } from '../../protocol/index.ts'
import { messageOf, PeerError } from '../storage/peer-error.ts'
import { NO_HELD_OUT } from './groups/validation.ts'
import { requireExecutor } from './require-executor.ts'
import { alphaOf, type PeerConfig } from './schema.ts'

/**
 * The checks that are possible before a base model is fetched.
 *
 * @throws {PeerError} naming what does not fit and what to do
 */
export async function requireOwnSettings(config: PeerConfig, charter: Charter): Promise<void> {
  requireWithin('rank', config.adapter.rank, charter.rank)
  requireWithin('alpha', alphaOf(config.adapter), charter.alpha)
  await requireExecutor(config.training)
  requireDocumentsThere(config)
  const { heldOut } = config.validation
  if (heldOut !== undefined && heldOut !== NO_HELD_OUT && !existsSync(heldOut))
    throw new PeerError(
      `held-out text not found at ${heldOut}: name it with --held-out FILE, leave the setting out, or turn the check off with --held-out 0`
    )
}

/**
 * Checks, before anything is started, that a peer with these settings and the charter's base model can take part:
 * anything the others would refuse in every round is an error now.
 *
 * @throws {PeerError} naming what does not fit and what to do
 */
export async function requireSettings(config: PeerConfig): Promise<void> {
  await requireDocuments(config)
  requireSequenceLength(config)
}

function requireWithin(name: string, value: number, { min, max }: { min: number; max: number }): void {
  if (value < min || value > max)
    throw new PeerError(
      `${name} ${value} is outside the charter's ${min} to ${max}: no member would endorse it; set --${name}`
    )
}

/** Positions beyond the model's would fail in the first step, or train something no member can use. */
function requireSequenceLength({ model, training }: PeerConfig): void {
  const { maxPositions } = parseModelConfig(readJsonObject(join(model, 'config.json')))
  if (training.sequenceLength > maxPositions)
    throw new PeerError(
      `training.sequenceLength ${training.sequenceLength} is more than the base model's ${maxPositions} positions: lower it in peer.json`
    )
}

/** @returns where they are */
function requireDocumentsThere({ documents: path }: PeerConfig): string {
  if (path === undefined) throw new PeerError('no training documents configured: name them with --data PATH')
  if (!existsSync(path))
    throw new PeerError(`training documents not found at ${path}: name them with --data PATH`)
  return path
}

/** Reads every line once: an error on line 9,000 must not wait for the first round. */
async function requireDocuments(config: PeerConfig): Promise<void> {
  const { data, model } = config
  const path = requireDocumentsThere(config)
  try {
    await checkCorpus(path, data, { folder: model, tokenizer: loadTokenizer(model) })
  } catch (error) {
    throw new PeerError(`the training documents cannot be used: ${messageOf(error)}`)
  }
}
