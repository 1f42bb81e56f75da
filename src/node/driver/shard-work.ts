import { setMaxListeners } from 'node:events'
import { blockLengths, shardByteLength } from '../../adapter/index.ts'
import {
  type Effect,
  hex,
  isVoid,
  type Manifest,
  type Message,
  memberWeights,
  type PeerEvent,
  type PeerState,
  type RoundContext
} from '../../protocol/index.ts'
import { roundFiles } from '../home/home.ts'
import { NetworkError, type WantedBlock } from '../network/index.ts'
import { peerIdText } from '../storage/peer-id-text.ts'
import type {
  BuildJob,
  BuiltFiles,
  JobResult,
  LeftOut,
  MissingBlocks,
  ShardSource
} from '../workers/builder/jobs.ts'
import type { DriverComponents } from './components.ts'
import { requireModelFile } from './model-checkpoint.ts'
import { normBounds, saveNorms } from './norm-bounds.ts'
import { authorOf, providersOf } from './providers.ts'

/** A manifest whose blocks nobody can deliver: it states lengths that bytes with those digests do not have. */
export class ImpossibleManifestError extends Error {
  override name = 'ImpossibleManifestError'
}

type BuildEffect = Extract<Effect, { type: 'build' }>

/** The distinct blocks of a manifest, with their exact lengths. */
export function wantedBlocks({ shards, dtype }: Manifest): WantedBlock[] {
  const wanted = new Map<string, WantedBlock>()
  for (const shard of shards) {
    const lengths = blockLengths(shardByteLength({ ...shard, dtype }))
    for (const [index, block] of shard.blocks.entries()) {
      const digest = hex(block)
      wanted.set(digest, { digest, bytes: lengths[index]! })
    }
  }
  return [...wanted.values()]
}

/** A manifest's content in the builder's terms. */
export function sourceOf({ members }: RoundContext, { author, body }: Message<'manifest'>): ShardSource {
  return { author: members[author]!.peer, samples: body.samples, dtype: body.dtype, shards: body.shards }
}

/** Fetches a manifest's blocks and validates them; returns the event that the protocol waits for. */
export async function fetchManifest(
  components: DriverComponents,
  stateNow: () => PeerState,
  message: Message<'manifest'>,
  signal: AbortSignal
): Promise<Extract<PeerEvent, { type: 'blocksHeld' }>> {
  const { context } = stateNow()
  const bounds = await normBounds(components.home, context.charter, context.round, components.log)
  const source = sourceOf(context, message)
  const { rankStabilised } = context.charter
  const validated = await withBlocks(components, stateNow, [message], signal, () =>
    components.builder.validate({ type: 'validate', source, rankStabilised, bounds })
  )
  return { type: 'blocksHeld', manifest: message.id, fault: validated.fault }
}

/** Stacks and merges the committed cut; returns the event that the protocol waits for. */
export async function buildCut(
  components: DriverComponents,
  stateNow: () => PeerState,
  { context, cut, cutId, manifests }: BuildEffect,
  signal: AbortSignal
): Promise<PeerEvent> {
  const unchanged = { type: 'built', cut: cutId, stack: null, model: context.modelDigest } as const
  if (isVoid(cut)) return unchanged
  await requireModelFile(components, context, signal)
  const { round } = context
  const job = buildJob(components, context, manifests, components.rounds.modelFile)
  const built = await withBlocks(components, stateNow, manifests, signal, () => components.builder.build(job))
  reportLeftOut(components, round, built.leftOut)
  if (!built.finite) return unchanged
  await saveNorms(components.home, round, built.medianNorms)
  components.exchange.serveFile(built.modelFile)
  return { ...unchanged, ...digestsOf(built) }
}

/** Logs the members of the cut whose shards are left out of the stack. */
function reportLeftOut(
  { log, report }: Pick<DriverComponents, 'log' | 'report'>,
  round: number,
  leftOut: readonly LeftOut[]
): void {
  for (const { author, reason } of leftOut) {
    const peerId = peerIdText(author)
    log.warn({ round, peerId, reason }, 'a member of the cut is left out of the stack')
    report({ type: 'leftOut', round, peerId, reason })
  }
}

/**
 * What the builder needs to stack and merge a cut.
 *
 * @param modelFile merged modules that the round starts from; undefined for the base's own
 */
export function buildJob(
  { home, config }: Pick<DriverComponents, 'home' | 'config'>,
  context: RoundContext,
  manifests: readonly Message<'manifest'>[],
  modelFile: string | undefined
): BuildJob {
  const { charter, round } = context
  const files = roundFiles(home, round)
  return {
    type: 'build',
    sources: manifests.map((manifest) => sourceOf(context, manifest)),
    rankStabilised: charter.rankStabilised,
    weights: memberWeights(context),
    clip: charter.clip ?? 'none',
    normCap: charter.norm.absolute,
    baseFolder: config.model,
    modules: charter.base.modules.map(({ module }) => module),
    shapes: Object.fromEntries(charter.base.modules.map((each) => [each.module, each])),
    modelFile,
    stackPath: files.stack,
    modelPath: files.model
  }
}

function digestsOf({ stack, model }: BuiltFiles): { stack: Uint8Array; model: Uint8Array } {
  return { stack: Buffer.from(stack, 'hex'), model: Buffer.from(model, 'hex') }
}

/**
 * Runs a job that reads blocks, and fetches missing or damaged ones until it succeeds.
 *
 * @throws {ImpossibleManifestError}
 * @throws {StoreError} when a write fails; nothing is left running in the background
 */
async function withBlocks<R extends JobResult>(
  components: DriverComponents,
  stateNow: () => PeerState,
  manifests: readonly Message<'manifest'>[],
  signal: AbortSignal,
  run: () => Promise<R | MissingBlocks>
): Promise<Exclude<R, MissingBlocks>> {
  for (;;) {
    await fetchAll(components, stateNow, manifests, signal)
    signal.throwIfAborted()
    const result = await run()
    if (result.type !== 'missing') return result as Exclude<R, MissingBlocks>
  }
}

/** Fetches the blocks of all manifests; when one fails the others are aborted, so that a retry runs alone. */
async function fetchAll(
  { exchange, host }: DriverComponents,
  stateNow: () => PeerState,
  manifests: readonly Message<'manifest'>[],
  signal: AbortSignal
): Promise<void> {
  const together = new AbortController()
  setMaxListeners(0, together.signal)
  const abort = () => together.abort(signal.reason)
  signal.throwIfAborted()
  signal.addEventListener('abort', abort, { once: true })
  const fetches = manifests.map((manifest) =>
    exchange.fetchAll(wantedBlocks(manifest.body), () => providersOf(stateNow(), manifest, host.peers()), {
      signal: together.signal,
      author: authorOf(stateNow(), manifest, host.peers())
    })
  )
  try {
    await Promise.all(fetches)
  } catch (error) {
    together.abort()
    await Promise.allSettled(fetches)
    if (error instanceof NetworkError && error.code === 'protocol')
      throw new ImpossibleManifestError(error.message)
    throw error
  } finally {
    signal.removeEventListener('abort', abort)
  }
}
