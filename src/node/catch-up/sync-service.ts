import type { PeerId } from '@libp2p/interface'
import {
  answerSync,
  checkpointDistance,
  contextAfter,
  decodeSealedRound,
  decodeSyncAnswer,
  decodeSyncRequest,
  describeConflict,
  encodeSyncAnswer,
  encodeSyncRequest,
  equalBytes,
  hex,
  type Invite,
  isSameSeal,
  isValidCertificate,
  latestAttested,
  MalformedError,
  type PeerState,
  peekSealedRound,
  type Seal,
  SYNC_ANSWER_BYTES_MAX,
  SYNC_REQUEST_BYTES_MAX,
  type SyncAnswer,
  type SyncRequest,
  silenceNeeded,
  syncRequest,
  UNKNOWN_ROUND
} from '../../protocol/index.ts'
import type { DriverComponents } from '../driver/components.ts'
import type { RoundDriver } from '../driver/round-driver.ts'
import { readCharter } from '../home/charter-file.ts'
import { readSealedRounds } from '../home/round-store.ts'
import { isBeforeInvite } from '../membership/invite-files.ts'
import {
  isMalformed,
  type RequestHandler,
  registerRequestHandler,
  request,
  withDeadline
} from '../network/index.ts'
import { messageOf } from '../storage/peer-error.ts'
import { peerIdText } from '../storage/peer-id-text.ts'
import { TrustedChain } from './trusted-chain.ts'

/** Protocol of rule 14 *Sync*. */
export const SYNC_PROTOCOL = '/loam/sync/1'

/** Time between two requests while nothing is missing, milliseconds. */
const INTERVAL_MS = 1_000
const TIMEOUT_MS = 10_000
/** How long to wait for a sealed round to be rebuilt before the next peer is asked, milliseconds. */
const REBUILD_WAIT_MS = 5_000
/** Messages validated before yielding to the event loop: a signature takes 0.1 to 0.2 ms. */
const JUDGED_AT_ONCE = 64
/** Total size of the sealed rounds in one answer, bytes. */
const SEALED_BYTES_MAX = 3 * 1024 * 1024
const SEALED_ROUNDS_MAX = 64
/**
 * Minimum time between two examinations of a seal that may contradict this peer's own: each reads the whole history.
 */
const COMPARE_EVERY_MS = 60_000
const LIMITS = {
  maxRequestBytes: SYNC_REQUEST_BYTES_MAX,
  maxResponseBytes: SYNC_ANSWER_BYTES_MAX,
  timeoutMs: TIMEOUT_MS,
  concurrency: 4,
  rate: { burst: 40, perSecond: 20 }
}

/**
 * Rule 14 *Sync*: gossip forgets, so every peer keeps asking another for what it lacks: messages of the round, and the
 * seals of the rounds it missed.
 */
export class SyncService {
  readonly #components: DriverComponents
  readonly #driver: RoundDriver
  readonly #stopped = new AbortController()
  #unregister: (() => Promise<void>) | undefined
  #timer: NodeJS.Timeout | undefined
  #running: Promise<void> | undefined
  #turn = 0
  #comparedAt = Number.NEGATIVE_INFINITY
  /** Latest attested round of others, by PeerId in hex. */
  readonly #told = new Map<string, number>()

  constructor(components: DriverComponents, driver: RoundDriver) {
    this.#components = components
    this.#driver = driver
  }

  async start(): Promise<void> {
    const { host, log } = this.#components
    const handler: RequestHandler = (bytes) => this.#answer(bytes)
    this.#unregister = await registerRequestHandler(host, SYNC_PROTOCOL, handler, LIMITS, log)
    this.#schedule(0)
  }

  async stop(): Promise<void> {
    this.#stopped.abort()
    clearTimeout(this.#timer)
    await this.#unregister?.()
    await this.#running
  }

  #schedule(milliseconds: number): void {
    if (this.#stopped.signal.aborted) return
    this.#timer = setTimeout(() => {
      this.#running = this.#ask()
    }, milliseconds)
  }

  /** Asks the connected peers in turn; asks again at once while this peer is behind and making progress. */
  async #ask(): Promise<void> {
    const peers = this.#components.host.peers()
    const peer = peers[this.#turn++ % Math.max(peers.length, 1)]
    let gained = false
    try {
      if (peer !== undefined) gained = await this.#askPeer(peer)
    } catch (error) {
      if (peer !== undefined && isMalformed(error))
        this.#components.host.limits.report(peer, 'false', `an invalid sync response: ${messageOf(error)}`)
      this.#components.log.debug({ peer: String(peer), error: messageOf(error) }, 'a sync request failed')
    }
    this.#schedule(gained ? 0 : INTERVAL_MS)
  }

  async #askPeer(peer: PeerId): Promise<boolean> {
    const { invite } = this.#components
    const { state } = this.#driver
    if (isBeforeInvite(invite, state.context)) return await this.#followInvite(peer, invite)
    const asked = syncRequest(state)
    const answer = await this.#request(peer, asked)
    await this.#takeMessages(answer, asked.round, peer)
    await this.#proveAhead(answer)
    this.#tellBehind()
    const gained = await this.#takeSealedRounds(answer, peer)
    this.#recollect(peer, answer.attested)
    return gained
  }

  async #request(peer: PeerId, asked: SyncRequest): Promise<SyncAnswer> {
    const options = {
      timeoutMs: TIMEOUT_MS,
      maxResponseBytes: SYNC_ANSWER_BYTES_MAX,
      signal: this.#stopped.signal
    }
    const bytes = encodeSyncRequest(asked)
    const answer = decodeSyncAnswer(await request(this.#components.host, peer, SYNC_PROTOCOL, bytes, options))
    this.#components.heads.note(peer.toMultihash().bytes, answer.round)
    return answer
  }

  /**
   * Rule 16 *Catch-up*: gets the history up to the invite's seal from one member. It is followed only if it contains
   * that seal; otherwise another member is asked.
   *
   * @returns whether this peer has reached the invite's seal
   */
  async #followInvite(peer: PeerId, invite: Invite): Promise<boolean> {
    const { home, environment, log } = this.#components
    const { state } = this.#driver
    const chain = new TrustedChain(home, invite, state.context, environment.verify)
    try {
      while (!chain.isTrusted) {
        const { round, parent } = chain.wanted
        const { sealedRounds } = await this.#request(peer, { ...syncRequest(state), round, parent })
        if (sealedRounds.length === 0) return false
        for (const bytes of sealedRounds) {
          if (chain.isTrusted) break
          await chain.take(bytes)
          await this.#yield()
        }
      }
      // The members of these rounds may all have left; their seals are as good as the invite's.
      this.#driver.happen({ type: 'behind', through: invite.round })
      for await (const sealedRound of chain.rounds(() => this.#driver.state.context)) {
        this.#driver.happen({ type: 'sealedRound', sealedRound })
        await this.#driver.roundAfter(sealedRound.seal.round, this.#stopped.signal)
      }
      log.info({ round: invite.round, seal: hex(invite.seal) }, 'the history contains the seal of the invite')
      return true
    } catch (error) {
      if (!(error instanceof MalformedError)) throw error
      log.warn(
        { peer: peer.toString(), error: messageOf(error) },
        "a member's history does not match the invite; asking another member"
      )
      return false
    } finally {
      await chain.clear()
    }
  }

  /**
   * Applies what is new in an answer. An honest peer sends only valid pieces, so the first invalid one ends it: a
   * faulty peer costs one signature check per answer.
   */
  async #takeMessages(
    { certificates, messages }: SyncAnswer,
    askedRound: number,
    peer: PeerId
  ): Promise<void> {
    const { environment, host } = this.#components
    const { verify } = environment
    for (const certificate of certificates) {
      const { context, certificates: held } = this.#driver.state
      // The round may have ended meanwhile: the next round's members do not validate its certificates.
      if (!this.#driver.hasRoom || context.round !== askedRound) return
      if (held.has(certificate.author)) continue
      if (!isValidCertificate(context, certificate, verify))
        throw new MalformedError('an invalid certificate')
      this.#driver.happen({ type: 'certificate', round: context.round, certificate })
      await this.#yield()
    }
    for (const [index, message] of messages.entries()) {
      const verdict = this.#driver.receive(message, peer.toString(), 'sync')
      if (verdict === 'reject') host.limits.report(peer, 'false', 'an invalid message in a sync response')
      if (verdict === 'reject' || verdict === 'fault') return
      if (index % JUDGED_AT_ONCE === JUDGED_AT_ONCE - 1) await this.#yield()
    }
  }

  async #yield(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve))
    this.#stopped.signal.throwIfAborted()
  }

  /**
   * Rule 16 *Catch-up*: a peer that is far behind may know no current member. Then the seals it receives show how far
   * the others are, each validated by the members that the seal before it left.
   *
   * @throws {MalformedError} where one does not hold
   */
  async #proveAhead({ sealedRounds, round }: SyncAnswer): Promise<void> {
    const { heads, environment } = this.#components
    let { context } = this.#driver.state
    const far = checkpointDistance(context)
    if (sealedRounds.length < far || heads.ahead(context) - context.round >= far) return
    for (const bytes of sealedRounds) {
      // A conflicting history is examined where it is followed.
      if (!equalBytes(peekSealedRound(bytes).parent, context.parent)) return
      context = contextAfter(context, decodeSealedRound(context, bytes, environment.verify))
      await this.#yield()
    }
    heads.prove(context.round, round)
  }

  /**
   * Rule 16 *Catch-up*: tells the protocol up to which round to skip building, because the others are too far ahead.
   * The model of the last skipped round is fetched and checked against its sealed digest.
   */
  #tellBehind(): void {
    const { context, historyThrough } = this.#driver.state
    const through = this.#components.heads.ahead(context) - checkpointDistance(context)
    if (through >= context.round && through > historyThrough) this.#driver.happen({ type: 'behind', through })
  }

  /**
   * Follows sealed rounds in order, each validated by the members that the round before it left. If rebuilding takes
   * long or a block is unavailable, the driver continues in the background and this continues to ask.
   *
   * @returns whether this peer advanced by a round
   */
  async #takeSealedRounds({ sealedRounds }: SyncAnswer, peer: PeerId): Promise<boolean> {
    let gained = false
    for (const bytes of sealedRounds) {
      const { context, sealedRound: known, halted } = this.#driver.state
      if (halted !== undefined || !this.#driver.hasRoom) return false
      if (peekSealedRound(bytes).round < context.round) {
        await this.#findParting(peer, peekSealedRound(bytes).round)
        continue
      }
      if (known === undefined) {
        if (!equalBytes(peekSealedRound(bytes).parent, context.parent)) {
          await this.#findParting(peer, context.round)
          return gained
        }
        const sealedRound = decodeSealedRound(context, bytes, this.#components.environment.verify)
        this.#driver.happen({ type: 'sealedRound', sealedRound })
      }
      try {
        await withDeadline('rebuilding a sealed round', REBUILD_WAIT_MS, this.#stopped.signal, (signal) =>
          this.#driver.roundAfter(context.round, signal)
        )
      } catch {
        return gained
      }
      gained = true
    }
    return gained
  }

  /**
   * Rule 17 *Lost log*: records how far another peer is, until enough have answered to know how long this peer must
   * stay silent.
   */
  #recollect(peer: PeerId, attested: number): void {
    const { state } = this.#driver
    if (state.silentThrough !== UNKNOWN_ROUND) {
      // What was told before says nothing about a silence that begins later.
      this.#told.clear()
      return
    }
    this.#told.set(hex(peer.toMultihash().bytes), attested)
    const through = silenceNeeded(state, this.#told)
    if (through === undefined) return
    this.#components.log.warn({ through }, 'without its log this peer signs nothing up to this round')
    this.#driver.happen({ type: 'recollected', through })
  }

  /**
   * Rule 16 *Catch-up*: two valid seals of one round mean that more than f members are faulty: this peer halts. The
   * round in which another's history diverges from its own is found by binary search.
   *
   * @param round whose seal or parent differs from this peer's
   * @throws {MalformedError} when the other's history is invalid: a faulty peer, not a conflict
   */
  async #findParting(peer: PeerId, round: number): Promise<void> {
    const { home, environment } = this.#components
    if (performance.now() - this.#comparedAt < COMPARE_EVERY_MS) return
    this.#comparedAt = performance.now()
    const own = await readSealedRounds(home, await readCharter(home.charter))
    const told = async (asked: number): Promise<Seal | undefined> => {
      const { context } = own[asked - 1]!
      const { sealedRounds } = await this.#request(peer, {
        ...syncRequest(this.#driver.state),
        round: asked,
        parent: context.parent
      })
      const bytes = sealedRounds.find((candidate) => peekSealedRound(candidate).round === asked)
      if (bytes === undefined) return undefined
      return decodeSealedRound(context, bytes, environment.verify).seal
    }
    const differs = async (asked: number): Promise<boolean> => {
      try {
        const seal = await told(asked)
        return seal === undefined || !isSameSeal(own[asked - 1]!.sealedRound.seal, seal)
      } catch (error) {
        // It builds on another parent: they diverged earlier.
        if (error instanceof MalformedError) return true
        throw error
      }
    }
    let same = 0
    let parted = Math.min(round, own.length)
    while (parted - same > 1) {
      const middle = Math.floor((same + parted) / 2)
      if (await differs(middle)) parted = middle
      else same = middle
    }
    if (parted < 1) return
    const { context, sealedRound } = own[parted - 1]!
    const seal = await told(parted)
    if (seal === undefined || isSameSeal(sealedRound.seal, seal)) return
    const reason = describeConflict(context, sealedRound.seal, seal, peerIdText)
    this.#driver.happen({ type: 'conflict', reason })
  }

  async #answer(bytes: Uint8Array): Promise<Uint8Array> {
    const asked = decodeSyncRequest(bytes)
    const { state } = this.#driver
    if (!equalBytes(asked.charter, state.context.charterId))
      throw new MalformedError('a request for another consortium')
    const answer: SyncAnswer = {
      version: 1,
      round: state.context.round,
      attested: latestAttested(state),
      sealedRounds: await this.#sealedSince(firstWanted(asked, state), state.context.round),
      ...answerSync(state, asked)
    }
    return encodeSyncAnswer(answer)
  }

  async #sealedSince(round: number, head: number): Promise<Uint8Array[]> {
    const sealed: Uint8Array[] = []
    let total = 0
    for (let next = round; next < head && sealed.length < SEALED_ROUNDS_MAX; next++) {
      const bytes = await this.#components.rounds.sealedBytes(next)
      // The first is sent whatever its size, or nobody could ever follow a round that large.
      if (bytes === undefined || (sealed.length > 0 && total + bytes.length > SEALED_BYTES_MAX)) break
      total += bytes.length
      sealed.push(bytes)
    }
    return sealed
  }
}

/** The first sealed round to send to an asker: if its parent differs, also the round in which it diverged. */
function firstWanted({ round, parent }: SyncRequest, { context }: PeerState): number {
  const isApart = round === context.round && !equalBytes(parent, context.parent)
  return isApart ? Math.max(1, round - 1) : round
}
