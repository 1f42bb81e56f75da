import { equalBytes, hex } from '../../src/protocol/encoding/bytes.ts'
import { MalformedError } from '../../src/protocol/encoding/canonical-cbor.ts'
import {
  decodeSealedRound,
  encodeSealedRound,
  peekSealedRound
} from '../../src/protocol/history/sealed-round.ts'
import { cutId, cutOf } from '../../src/protocol/messages/cut.ts'
import { isValidCertificate } from '../../src/protocol/messages/judge.ts'
import { type Envelope, signMessage } from '../../src/protocol/messages/message.ts'
import type { RoundContext } from '../../src/protocol/round/context.ts'
import { latestAttested, silenceNeeded } from '../../src/protocol/rules/lost-log.ts'
import { UNKNOWN_ROUND } from '../../src/protocol/state/effects.ts'
import type { PeerState } from '../../src/protocol/state/state.ts'
import {
  answerSync,
  decodeSyncRequest,
  encodeSyncRequest,
  type SyncRequest,
  syncRequest
} from '../../src/protocol/sync.ts'
import { type Copy, isHonest } from '../consortium/copy.ts'
import type { RoundStage } from '../world/round-stage.ts'
import { stageOf, type World } from '../world/world.ts'
import type { Delivery } from './delivery.ts'

/** How soon a copy asks again while it is behind and makes progress. */
const AGAIN_MS = 20

/** Rules 14, 16 and 17: every copy asks the others in turn for what it lacks. */
export class SyncExchange {
  readonly #world: World
  readonly #delivery: Delivery
  readonly #requests = new WeakMap<PeerState, SyncRequest>()
  /** Pairs of states that had nothing to send each other, with the openness of the round at that time. */
  readonly #even = new WeakMap<PeerState, WeakMap<PeerState, number>>()

  constructor(world: World, delivery: Delivery) {
    this.#world = world
    this.#delivery = delivery
  }

  begin(copy: Copy): void {
    const { queue, random, scenario } = this.#world
    queue.later(random.between(0, scenario.syncEveryMs), () => this.#turn(copy))
  }

  #turn(copy: Copy): void {
    const { copies, queue, scenario } = this.#world
    const round = copy.state?.context.round ?? 0
    const other = copies[copy.turn++ % copies.length]!
    if (other !== copy) this.#ask(copy, other)
    const isBehind = copy.state !== undefined && copy.state.sealedRound !== undefined
    const gained = (copy.state?.context.round ?? 0) > round || isBehind
    const wait = gained ? AGAIN_MS : scenario.syncEveryMs * copy.clock
    if (gained && other !== copy) copy.turn--
    queue.later(wait, () => this.#turn(copy))
  }

  #ask(copy: Copy, other: Copy): void {
    const { random } = this.#world
    if (copy.state === undefined || other.state === undefined || other.behaviours.has('silent')) return
    const stage = stageOf(this.#world, copy)
    if (stage?.areParted(other, copy)) return
    if (this.#world.scenario.gossips && !this.#world.neighbours.areConnected(copy, other)) return
    if (stage?.healed === false && random.chance(stage.weather.loss)) return
    this.#recollect(copy, other, copy.state)
    if (other.behaviours.has('gives-false-rounds') && random.chance(0.5))
      this.#adopt(copy, other, this.#falseRound(stage?.context ?? copy.context))
    // A copy may crash at any event.
    if (copy.state === undefined || other.state === undefined) return
    const { round } = copy.state.context
    const kept = other.sealed.get(round)
    if (kept !== undefined) this.#adopt(copy, other, kept.bytes)
    else if (round === other.state.context.round) this.#exchange(copy, other, copy.state, other.state, stage)
  }

  /** Rule 17 *Lost log*: records how far another copy is. A liar reports a very large number, or none. */
  #recollect(copy: Copy, other: Copy, state: PeerState): void {
    if (state.silentThrough !== UNKNOWN_ROUND) {
      copy.told.clear()
      return
    }
    copy.told.set(hex(other.peer), isHonest(other) ? latestAttested(other.state!) : 1_000_000_000)
    const through = silenceNeeded(state, copy.told)
    if (through !== undefined) this.#world.event(copy, { type: 'recollected', through })
  }

  /** Rule 16 *Catch-up*: adopts a round that others sealed, or refuses a false one. */
  #adopt(copy: Copy, other: Copy, bytes: Uint8Array): void {
    const { envelopeCheck, event, watch } = this.#world
    if (copy.state === undefined || copy.state.sealedRound !== undefined) return
    const { context } = copy.state
    try {
      if (peekSealedRound(bytes).round !== context.round) return
      event(copy, {
        type: 'sealedRound',
        sealedRound: decodeSealedRound(context, bytes, envelopeCheck.verify)
      })
    } catch (error) {
      if (!(error instanceof MalformedError) || isHonest(other))
        watch.note('rejected', `${copy.name} refused a sealed round of ${other.name}: ${error}`)
    }
  }

  /** A void round sealed by the faulty members alone. */
  #falseRound(context: RoundContext): Uint8Array {
    const { copies } = this.#world
    const cut = cutOf(context, [])
    const body = { cut: cutId(context, cut), stack: null, model: context.modelDigest }
    const attestations = copies
      .filter(({ isFaulty, twin }) => isFaulty && twin === 0)
      .map(({ environment }) => signMessage(context, environment.signer, 'attestation', 0, body))
      .filter(({ author }) => author >= 0)
      .sort((left, right) => left.author - right.author)
      .map(({ author, slot, signature }) => ({ member: author, attempt: slot, signature }))
    const { round, parent } = context
    return encodeSealedRound({ seal: { round, parent, ...body, attestations }, cut, manifests: [] })
  }

  #exchange(copy: Copy, other: Copy, own: PeerState, theirs: PeerState, stage: RoundStage | undefined): void {
    const { envelopeCheck, event, watch } = this.#world
    const openness = stage?.openness ?? 0
    if (this.#even.get(own)?.get(theirs) === openness) return
    const { certificates, messages } = answerSync(theirs, this.#request(own))
    let arrived = 0
    for (const certificate of certificates) {
      if (stage !== undefined && !stage.passesCertificate(certificate.author)) continue
      arrived++
      if (isValidCertificate(own.context, certificate, envelopeCheck.verify))
        event(copy, { type: 'certificate', round: own.context.round, certificate })
      else if (isHonest(other)) watch.note('rejected', `a certificate of ${other.name} is not valid`)
    }
    const isHidden = ({ kind, header }: Envelope) =>
      kind === 'manifest' &&
      other.behaviours.has('announces-nothing') &&
      equalBytes(header.author, other.peer)
    for (const bytes of messages) {
      if (isHidden(envelopeCheck.decode(bytes))) continue
      if (stage !== undefined && !stage.passes(envelopeCheck.decode(bytes), other, copy)) continue
      arrived++
      this.#delivery.receive(copy, { bytes, from: other, way: 'sync' })
    }
    if (arrived > 0 && copy.state !== own) return
    const even = this.#even.get(own) ?? new WeakMap<PeerState, number>()
    this.#even.set(own, even.set(theirs, openness))
  }

  #request(state: PeerState): SyncRequest {
    const known = this.#requests.get(state)
    if (known !== undefined) return known
    const asked = syncRequest(state)
    const { signatures } = this.#world.scenario
    const request = signatures === 'real' ? decodeSyncRequest(encodeSyncRequest(asked)) : asked
    this.#requests.set(state, request)
    return request
  }
}
