import { equalBytes } from '../src/protocol/encoding/bytes.ts'
import { MalformedError } from '../src/protocol/encoding/canonical-cbor.ts'
import type { Envelope, Message } from '../src/protocol/messages/message.ts'
import { pester } from './adversary/pester.ts'
import { utter } from './adversary/utter.ts'
import { type Copy, isHonest } from './copy.ts'
import { stageOf, type World } from './world.ts'

const PESTER_EVERY_MS = 700

/** Carries messages: late, twice, in another order, or not at all, as the round's weather and its script decide. */
export class Delivery {
  readonly #world: World

  constructor(world: World) {
    this.#world = world
  }

  /** Makes a faulty copy send unsolicited messages now and then. */
  beginPestering(copy: Copy): void {
    this.#world.queue.later(this.#world.random.between(0, PESTER_EVERY_MS), () => this.#pester(copy))
  }

  broadcast(copy: Copy, message: Message): void {
    const { watch, observer, queue, stages, copies, envelopeCheck } = this.#world
    if (isHonest(copy)) watch.said(copy, message)
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
    const deliver = () => this.receive(to, envelope.bytes)
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

  /** Runs a copy's envelope check on bytes, and lets the copy take in what is accepted. */
  receive(to: Copy, bytes: Uint8Array): void {
    const { state } = to
    if (state === undefined) return
    const { envelopeCheck, watch, event } = this.#world
    try {
      const envelope = envelopeCheck.decode(bytes)
      const judgement = envelopeCheck.judge(state.context, envelope)
      if (judgement.verdict === 'accept') {
        if (isHonest(to)) watch.accepted(to, state, judgement.message)
        event(to, { type: 'message', message: judgement.message })
      }
      if (judgement.verdict === 'early') event(to, { type: 'early', author: envelope.header.author, bytes })
      if (judgement.verdict === 'reject' && isHonest(to) && this.#isHonestWord(envelope))
        watch.note('rejected', `${to.name} rejected an honest ${envelope.kind}: ${judgement.reason}`)
    } catch (error) {
      if (!(error instanceof MalformedError)) watch.note('throw', `${to.name}: ${(error as Error).stack}`)
    }
  }

  /** Whether an honest member really sent this: a forgery in its name is rightly rejected. */
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
    for (const bytes of pester(copy, { context, messages, outsider }, random, envelopeCheck.know)) {
      const to = copies[random.between(0, copies.length - 1)]!
      if (to !== copy) queue.later(random.between(...scenario.calmDelay), () => this.receive(to, bytes))
    }
  }
}
