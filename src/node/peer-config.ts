import { readFile } from 'node:fs/promises'
import { z } from 'zod'
import { DEVICE_NAMES, EXECUTOR_NAMES } from '../model/executor/choice.ts'
import { isMissing, messageOf, PeerError } from './errors.ts'
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
    threads: z.number().int().positive().default(1).describe('threads of the trainer'),
    executor: z.enum(EXECUTOR_NAMES).optional().describe('what computes; the best that works where absent'),
    device: z.enum(DEVICE_NAMES).optional().describe('where it computes; the processor where absent')
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

/** Alpha where the settings give none: the papers' 2r. */
const ALPHA_PER_RANK = 2

export type PeerConfig = z.infer<typeof peerConfigSchema>
export type TrainingConfig = PeerConfig['training']

/** LoRA alpha of a peer. */
export function alphaOf({ rank, alpha }: PeerConfig): number {
  return alpha ?? ALPHA_PER_RANK * rank
}

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
  const settings = await readSettings(home.config)
  const given = definedIn(overrides)
  const training = { ...settings.training, ...definedIn(overrides.training as object) }
  const parsed = peerConfigSchema.safeParse({ ...defaults, ...settings, ...given, training })
  if (parsed.success) return parsed.data
  const issue = parsed.error.issues[0]!
  const source = issue.path[0] !== undefined && issue.path[0] in given ? 'the flags' : home.config
  throw new PeerError(`${source}: ${issue.path.join('.') || 'settings'}: ${issue.message}`)
}

const settingsSchema = z.looseObject({ training: z.looseObject({}).optional() })

async function readSettings(path: string): Promise<z.infer<typeof settingsSchema>> {
  try {
    return settingsSchema.parse(JSON.parse(await readFile(path, 'utf8')))
  } catch (error) {
    if (isMissing(error)) return {}
    const reason = error instanceof z.ZodError ? 'it must hold one JSON object' : messageOf(error)
    throw new PeerError(`${path} cannot be read (${reason}): mend it, or move it away to begin with defaults`)
  }
}

function definedIn(values: object = {}): Record<string, unknown> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined))
}
