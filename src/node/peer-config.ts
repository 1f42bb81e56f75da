import { readFile } from 'node:fs/promises'
import { z } from 'zod'
import { isMissing, PeerError } from './errors.ts'
import type { Home } from './home.ts'

const trainingSchema = z
  .strictObject({
    steps: z.number().int().positive().default(40).describe('optimizer steps a round'),
    batchSize: z.number().int().positive().default(8).describe('rows a step'),
    sequenceLength: z.number().int().min(2).default(128).describe('tokens a row'),
    learningRate: z.number().positive().default(3e-3),
    warmupSteps: z.number().int().min(0).default(4),
    clipNorm: z.number().positive().default(1),
    weightDecay: z.number().min(0).default(0),
    threads: z.number().int().positive().default(1).describe('threads of the trainer')
  })
  .prefault({})

/** A peer's settings: one schema for `peer.json` and for the flags over it. */
export const peerConfigSchema = z.strictObject({
  version: z.literal(1).default(1),
  model: z.string().min(1).describe('folder of the base model'),
  documents: z.string().min(1).optional().describe('training documents, JSONL with a `text` a line'),
  rank: z.number().int().positive().default(8).describe('LoRA rank of this peer'),
  alpha: z.number().positive().optional().describe('LoRA alpha; twice the rank where it is not given'),
  training: trainingSchema,
  listen: z.array(z.string()).default(['/ip4/0.0.0.0/tcp/0']).describe('addresses to listen on'),
  bootstrap: z.array(z.string()).default([]).describe('addresses of peers to dial first'),
  mdns: z.boolean().default(true).describe('find peers on the local network'),
  rounds: z.number().int().positive().optional().describe('last round to train in; afterwards only serve')
})

export type PeerConfig = z.infer<typeof peerConfigSchema>
export type TrainingConfig = PeerConfig['training']

/**
 * The settings in a home's `peer.json`, with `overrides` over them and `defaults` under them.
 *
 * @param overrides values that are undefined count as not given
 * @throws {PeerError} naming the setting that does not fit
 */
export async function loadPeerConfig(
  home: Home,
  overrides: Record<string, unknown> = {},
  defaults: Record<string, unknown> = {}
): Promise<PeerConfig> {
  let settings: Record<string, unknown> = {}
  try {
    settings = JSON.parse(await readFile(home.config, 'utf8'))
  } catch (error) {
    if (!isMissing(error)) throw new PeerError(`${home.config} cannot be read: ${(error as Error).message}`)
  }
  const training = { ...(settings.training as object), ...definedIn(overrides.training as object) }
  const parsed = peerConfigSchema.safeParse({ ...defaults, ...settings, ...definedIn(overrides), training })
  if (parsed.success) return parsed.data
  const issue = parsed.error.issues[0]!
  throw new PeerError(`${home.config}: ${issue.path.join('.') || 'settings'}: ${issue.message}`)
}

function definedIn(values: object = {}): Record<string, unknown> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined))
}
