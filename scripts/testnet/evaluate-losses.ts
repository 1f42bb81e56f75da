import type { LoraAdapter } from '../../src/adapter/index.ts'
import { chooseExecutor, createTextScorer } from '../../src/model/index.ts'
import { readPeftFolder } from '../../src/node/export/peft-files.ts'
import type { TestnetOptions } from './options.ts'
import { type PreparedTestnet, readHeldOut } from './prepare-homes.ts'

/** Held-out loss of one domain, nats per token. */
export interface DomainLoss {
  readonly base: number
  readonly global: number
  /** By PeerId. */
  readonly standalone: Readonly<Record<string, number>>
}

/** Scores the base, the global model and every peer's own adapter on every domain's held-out text. */
export async function evaluateLosses(
  { peers }: PreparedTestnet,
  options: TestnetOptions,
  adapterFolder: string,
  standalone: ReadonlyMap<string, LoraAdapter>,
  onProgress: (domain: string) => void,
  signal: AbortSignal
): Promise<Record<string, DomainLoss>> {
  const scorer = await createTextScorer(options.model, { executor: await chooseExecutor(options) })
  const global = await readPeftFolder(adapterFolder)
  const losses: Record<string, DomainLoss> = {}
  for (const peer of peers) {
    const text = await readHeldOut(peer)
    const alone: Record<string, number> = {}
    for (const [peerId, adapter] of standalone) {
      alone[peerId] = (await scorer.score(text, adapter)).nats
      // Lets signals be handled between two native runs.
      await new Promise((resolve) => setImmediate(resolve))
      signal.throwIfAborted()
    }
    losses[peer.domain] = {
      base: (await scorer.score(text)).nats,
      global: (await scorer.score(text, global)).nats,
      standalone: alone
    }
    onProgress(peer.domain)
  }
  await scorer.dispose()
  return losses
}
