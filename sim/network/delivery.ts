import { equalBytes } from '../../src/protocol/encoding/bytes.ts'
import { MalformedError } from '../../src/protocol/encoding/canonical-cbor.ts'
import type { Judgement } from '../../src/protocol/messages/judge.ts'
import type { Envelope, Message } from '../../src/protocol/messages/message.ts'
import { withEarly } from '../../src/protocol/rules/hear.ts'
import { afterFault } from '../../src/protocol/rules/vote.ts'
import { isOutrun } from '../../src/protocol/state/keep.ts'
import { faultyMessages, pester } from '../adversary/pester.ts'
import { utter } from '../adversary/utter.ts'
import { type Copy, isHonest, mindsOwnWords } from '../consortium/copy.ts'
import { stageOf, type World } from '../world/world.ts'

const PESTER_EVERY_MS = 700

/** An envelope in transit. */
export interface Arrival {
  readonly bytes: Uint8Array
  /** Its sender: the author or a forwarder; absent if a script delivers it. */
  readonly from?: Copy
  /** Gossip is the default. */
  readonly way?: 'gossip' | 'sync'
}

/**
 * Delivers messages late, twice, out of order, or not at all, according to the round's network conditions and its
 * script.
 */
export class Delivery {
  readonly #world: World
  /** The messages that each copy has already received by gossip. */
  readonly #seen = new WeakMap<Copy, WeakSet<Uint8Array>>()

  constructor(world: World) {
    this.#world = world
  }

  /** Makes a faulty copy send unsolicited messages from time to time. */
  beginPestering(copy: Copy): void {
    this.#world.queue.later(this.#world.random.between(0, PESTER_EVERY_MS), () => this.#pester(copy))
  }

  broadcast(copy: Copy, message: Message): void {
    const { watch, observer, queue, stages, copies, envelopeCheck } = this.#world
    if (isHonest(copy)) watch.said(copy, message)
    if (mindsOwnWords(copy)) watch.spoke(copy, message)
    envelopeCheck.know(message)
    observer.sent?.(message, queue.now)
    stages.get(message.header.round)?.messages.push(message)
    for (const to of copies) {
      if (to === copy) continue
      if (!copy.isFaulty) this.#send(copy, to, message)
      else
        for (const bytes of this.#words(copy, message, to)) this.#send(copy, to, envelopeCheck.decode(bytes))
    }
  }

  /** What a faulty member sends to one receiver: decided by the round's script, if it has one. */
  #words(copy: Copy, message: Message, to: Copy): readonly Uint8Array[] {
    const { stages, random } = this.#world
    const script = stages.get(message.header.round)?.script
    return script === undefined ? utter(copy, message, to, random) : script.utter(copy, message, to)
  }

  #send(from: Copy, to: Copy, envelope: Envelope): void {
    const { random, queue, stages, scenario } = this.#world
    const stage = stages.get(envelope.header.round)
    const deliver = () => this.receive(to, { bytes: envelope.bytes, from })
    const calmly = () => queue.later(random.between(...scenario.calmDelay), deliver)
    if (stage === undefined || stage.healed) {
      calmly()
      return
    }
    const { delay, loss, duplication } = stage.weather
    if (!stage.passes(envelope, from, to)) {
      stage.hold(calmly)
      return
    }
    if (random.chance(loss)) return
    queue.later(random.between(...delay), deliver)
    if (random.chance(duplication)) queue.later(random.between(...delay), deliver)
  }

  /** Runs a copy's envelope check on bytes, and passes accepted messages to the copy. */
  receive(to: Copy, arrival: Arrival): void {
    const { bytes } = arrival
    const { state } = to
    if (state === undefined || !this.#isTaken(to, arrival)) return
    const { envelopeCheck, watch, event } = this.#world
    try {
      const envelope = envelopeCheck.decode(bytes)
      if (!this.#isBrought(to, envelope, arrival) || isOutrun(state, envelope.header)) return
      const judgement = envelopeCheck.judge(state.context, envelope)
      if (!this.#isWithinBudget(to, envelope, judgement, arrival)) return
      if (judgement.verdict === 'accept') {
        if (isHonest(to)) watch.accepted(to, state, judgement.message)
        const isOwn = equalBytes(envelope.header.author, to.peer)
        if (isOwn && mindsOwnWords(to)) watch.heardOwn(to, judgement.message)
        if (!isOwn || mindsOwnWords(to)) event(to, { type: 'message', message: judgement.message })
      }
      const isKept =
        judgement.verdict === 'early' && withEarly(state.early, envelope.header.author, bytes) !== state.early
      if (judgement.verdict === 'early') event(to, { type: 'early', author: envelope.header.author, bytes })
      if (judgement.verdict === 'accept' || isKept) this.#forward(to, envelope, arrival)
      this.#charge(to, envelope, judgement, arrival)
      const follows = judgement.verdict === 'fault' ? afterFault(state, envelope.header) : undefined
      if (follows !== undefined) event(to, follows)
      const isRefused = judgement.verdict === 'reject' || judgement.verdict === 'fault'
      if (isRefused && isHonest(to) && this.#isHonestWord(envelope))
        watch.note('rejected', `${to.name} rejected an honest ${envelope.kind}: ${judgement.reason}`)
    } catch (error) {
      if (error instanceof MalformedError) this.#reject(to, arrival, error.message)
      else watch.note('throw', `${to.name}: ${(error as Error).stack}`)
    }
  }

  /** Whether a copy looks at an arrival: gossip drops repetitions and messages from peers that are shut out. */
  #isTaken(to: Copy, { bytes, from, way }: Arrival): boolean {
    const { scenario, neighbours } = this.#world
    if (!scenario.gossips || from === undefined || way === 'sync') return true
    if (!neighbours.hears(to, from)) return false
    const seen = this.#seen.get(to) ?? new WeakSet()
    this.#seen.set(to, seen)
    if (seen.has(bytes)) return false
    seen.add(bytes)
    return true
  }

  /** Whether the neighbour that delivers a message may deliver another by the same author. */
  #isBrought(to: Copy, envelope: Envelope, { from, way }: Arrival): boolean {
    const { scenario, neighbours } = this.#world
    const author = this.#authorOf(envelope)
    if (!scenario.gossips || from === undefined || way === 'sync' || author === undefined) return true
    return neighbours.mayBring(to, from, author)
  }

  #isWithinBudget(to: Copy, envelope: Envelope, { verdict }: Judgement, { way }: Arrival): boolean {
    const { scenario, neighbours } = this.#world
    const author = this.#authorOf(envelope)
    if (!scenario.gossips || way === 'sync' || author === undefined) return true
    return verdict === 'reject' || verdict === 'ignore' || neighbours.maySay(to, author)
  }

  #authorOf({ header }: Envelope): Copy | undefined {
    return this.#world.copies.find(({ peer }) => equalBytes(peer, header.author))
  }

  /** Honest members forward by gossip what they accept and keep. */
  #forward(copy: Copy, envelope: Envelope, { from, way }: Arrival): void {
    const { scenario, copies } = this.#world
    if (!scenario.gossips || !isHonest(copy) || way === 'sync') return
    for (const to of copies)
      if (to !== copy && to !== from && !equalBytes(to.peer, envelope.header.author))
        this.#send(copy, to, envelope)
  }

  /** Decides who is charged for a message that a copy does not accept. */
  #charge(to: Copy, { header }: Envelope, judgement: Judgement, arrival: Arrival): void {
    const { scenario, copies, neighbours } = this.#world
    if (!scenario.gossips) return
    if (judgement.verdict === 'reject') this.#reject(to, arrival, judgement.reason)
    if (judgement.verdict !== 'fault') return
    const author = copies.find(({ peer }) => equalBytes(peer, header.author))
    if (author !== undefined && author !== to) neighbours.blame(to, author, judgement.reason)
  }

  #reject(to: Copy, { from, way }: Arrival, reason: string): void {
    const { scenario, neighbours } = this.#world
    if (scenario.gossips && from !== undefined) neighbours.reject(to, from, way !== 'sync', reason)
  }

  /** Whether an honest member really sent this: rejecting a forgery in its name is right. */
  #isHonestWord({ header, bytes }: Envelope): boolean {
    const { stages, honest } = this.#world
    return (stages.get(header.round)?.messages ?? []).some(
      (message) =>
        equalBytes(message.bytes, bytes) && honest.some(({ peer }) => equalBytes(peer, message.header.author))
    )
  }

  #pester(copy: Copy): void {
    const { queue, copies, random, scenario, outsider, envelopeCheck } = this.#world
    queue.later(PESTER_EVERY_MS, () => this.#pester(copy))
    const stage = stageOf(this.#world, copy)
    if (stage === undefined) return
    const { context, messages } = stage
    const arrive = (to: Copy, bytes: Uint8Array) =>
      queue.later(random.between(...scenario.calmDelay), () => this.receive(to, { bytes, from: copy }))
    for (const bytes of pester(copy, { context, messages, outsider }, random, envelopeCheck.know)) {
      const to = copies[random.between(0, copies.length - 1)]!
      if (to !== copy) arrive(to, bytes)
    }
    if (!copy.behaviours.has('errs-early')) return
    const behind = copies.filter(({ state }) => state?.context.round === context.round - 1)
    for (const bytes of faultyMessages(copy, context, random, envelopeCheck.know))
      for (const to of behind) arrive(to, bytes)
  }
}
