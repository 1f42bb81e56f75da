import { equalBytes, hex } from '../../src/protocol/encoding/bytes.ts'
import type { Message } from '../../src/protocol/messages/message.ts'
import type { RoundContext } from '../../src/protocol/round/context.ts'
import { isRetained } from '../../src/protocol/rules/retain.ts'
import type { HeldOutLoss } from '../../src/protocol/state/events.ts'
import { type Copy, isHonest } from '../consortium/copy.ts'
import type { World } from '../world/world.ts'

const FETCH_RETRY_MS = 200
const FETCH_RETRY_MAX_MS = 2_000
/** Simulated members take no checkpoints: blocks are kept as long as the sealed rounds from which others catch up. */
const OWED_ROUNDS_MIN = 32

/** Tracks which copies hold the blocks of which manifest, and which copies serve which others. */
export class BlockExchange {
  readonly #world: World
  /** Copies that hold all blocks of a manifest, by its id in hex. */
  readonly #providers = new Map<string, { round: number; copies: Set<Copy> }>()

  constructor(world: World) {
    this.#world = world
  }

  /** Fetches blocks from a copy that holds and serves them, and retries until it succeeds. */
  fetch(copy: Copy, manifest: Message<'manifest'>): void {
    const { scenario, queue, random, event } = this.#world
    const { life } = copy
    const author = this.#authorOf(manifest)
    const providers = this.#providersOf(manifest)
    if (author?.isFaulty) providers.add(author)
    let wait = FETCH_RETRY_MS
    const attempt = () => {
      if (copy.life !== life) return
      if (!this.#gets(copy, author, providers, manifest.header.round)) {
        wait = Math.min(FETCH_RETRY_MAX_MS, wait * 1.5)
        queue.later(wait, attempt)
        return
      }
      if (!copy.behaviours.has('endorses-unfetched')) providers.add(copy)
      const fault = isHonest(copy) ? this.#faultOf(author) : undefined
      const heldOut = isHonest(copy) ? this.#heldOutOf(author) : undefined
      event(copy, { type: 'blocksHeld', manifest: manifest.id, fault, heldOut })
    }
    queue.later(random.between(...(scenario.workMs ?? [5, 100])), attempt)
  }

  /** The fault that an honest member finds in the blocks of an author. */
  #faultOf(author: Copy | undefined): string | undefined {
    return author?.behaviours.has('trains-nonsense') ? 'contains values that are not finite' : undefined
  }

  /** The held-out loss that every honest member measures for an author's update. */
  #heldOutOf(author: Copy | undefined): HeldOutLoss {
    return { before: 4, after: author?.behaviours.has('trains-harm') ? 9 : 3.9 }
  }

  /** Rule 1: whether a copy may endorse a manifest: it holds all of its blocks, and they are valid. */
  mayVouch(copy: Copy, manifest: Uint8Array, author: Uint8Array, round: number): boolean {
    const by = this.#world.copies.find(({ peer }) => equalBytes(peer, author))
    const holds = isOwn(copy, by, round) || this.#providers.get(hex(manifest))?.copies.has(copy) === true
    const { before, after } = this.#heldOutOf(by)
    const { heldOutVeto } = this.#world.scenario.charter ?? {}
    const isHarmful = heldOutVeto ? after > before + heldOutVeto.margin : false
    return holds && this.#faultOf(by) === undefined && !isHarmful
  }

  /** Rule 1, `retain`: an honest copy that advances to a round drops the blocks that it no longer has to serve. */
  prune(copy: Copy, { round, charter }: RoundContext): void {
    for (const held of this.#providers.values())
      if (!isRetained(held.round, round, Math.max(charter.retain, OWED_ROUNDS_MIN))) held.copies.delete(copy)
  }

  /** Drops blocks that no longer have to be served. */
  forgetBefore(round: number): void {
    for (const [id, held] of this.#providers) if (held.round < round) this.#providers.delete(id)
  }

  /** Forgets the blocks of a lost disk. */
  lose(copy: Copy): void {
    for (const { copies } of this.#providers.values()) copies.delete(copy)
  }

  #authorOf({ header }: Message<'manifest'>): Copy | undefined {
    return this.#world.copies.find(({ peer }) => equalBytes(peer, header.author))
  }

  #providersOf({ id, header }: Message<'manifest'>): Set<Copy> {
    const known = this.#providers.get(hex(id)) ?? { round: header.round, copies: new Set<Copy>() }
    this.#providers.set(hex(id), known)
    return known.copies
  }

  #gets(copy: Copy, author: Copy | undefined, providers: ReadonlySet<Copy>, round: number): boolean {
    if (isOwn(copy, author, round) || providers.has(copy)) return true
    if (copy.behaviours.has('endorses-unfetched')) return true
    for (const provider of providers) if (this.#serves(provider, copy, round)) return true
    return false
  }

  #serves(provider: Copy, asker: Copy, round: number): boolean {
    if (provider.state === undefined || this.#world.stages.get(round)?.areParted(provider, asker))
      return false
    if (!provider.isFaulty) return true
    const { behaviours } = provider
    if (behaviours.has('silent') || behaviours.has('withholds-blocks'))
      return asker.person === provider.person + 1
    return !behaviours.has('selective') || (provider.person + asker.person) % 3 !== 0
  }
}

/** Whether a copy made the blocks itself and has not lost its disk since. */
function isOwn(copy: Copy, author: Copy | undefined, round: number): boolean {
  return author?.person === copy.person && round > copy.lostIn
}
