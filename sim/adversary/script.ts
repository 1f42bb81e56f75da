import { bitmapOf, bitsOf } from '../../src/protocol/encoding/bytes.ts'
import type { Body, CarriedReady, Cut, Proposal } from '../../src/protocol/messages/bodies.ts'
import { cutId, cutOf } from '../../src/protocol/messages/cut.ts'
import type { Kind } from '../../src/protocol/messages/header.ts'
import { isKind } from '../../src/protocol/messages/judge.ts'
import { type Envelope, type Message, signMessage } from '../../src/protocol/messages/message.ts'
import type { RoundContext } from '../../src/protocol/round/context.ts'
import { proposerOf } from '../../src/protocol/round/proposer.ts'
import type { Copy } from '../consortium/copy.ts'
import type { Act, Script } from '../scenarios/scenario.ts'
import { SeededRandom } from '../support/seeded-random.ts'

/** What a script sees and may use: all messages sent, the honest members' views, and the faulty members' keys. */
export interface Scene {
  readonly context: RoundContext
  /** The first copy of every member, by its index in the round. */
  readonly copies: ReadonlyMap<number, Copy>
  /** All messages that were broadcast in the round so far. */
  readonly messages: readonly Message[]
  /** Delivers to one member immediately. */
  inject(to: Copy, bytes: Uint8Array): void
}

/** Views that a plan starves until a faulty member's turn; if that is farther off, the plan ends. */
const WAIT_MAX_VIEWS = 5

const BREAKS: ReadonlySet<Act> = new Set<Act>([
  'break-fresh',
  'break-without-polka',
  'break-with-old-polka',
  'smuggle'
])

/**
 * The adversary of one round: it decides which messages of which members arrive at which others until the round heals,
 * and it speaks for all faulty members. It knows who proposes next, and follows a plan with one act per view that makes
 * honest members lock different cuts, or none, at different times.
 *
 * One faulty author, the hidden one, shows its manifest to just enough honest members that only the faulty ones' endorsements
 * complete its certificate: so the adversary has two cuts that it can make valid, one with the hidden author and one
 * without, and decides when each is used.
 */
export class ScriptRunner {
  readonly #scene: Scene
  readonly #script: Script
  readonly #faulty: readonly number[]
  readonly #honest: readonly number[]
  /** The faulty author whose certificate is withheld. */
  readonly #hidden: number
  /** Honest members that are shown the hidden manifest. */
  readonly #shown: ReadonlySet<number>
  /** The only honest member that sees the decision. */
  readonly #witness: number
  readonly #lockers: ReadonlySet<number>
  readonly #acts = new Map<number, Act>()
  readonly #last: number
  readonly #played = new Set<number>()
  readonly #votes: { view: number; kept: [number, Uint8Array][] }[] = []
  #hiddenManifest: Message<'manifest'> | undefined
  #released = false
  #over = false

  constructor(script: Script, scene: Scene) {
    this.#script = script
    this.#scene = scene
    const { context, copies } = scene
    const random = new SeededRandom(script.draw)
    const indices = [...copies.keys()].sort((left, right) => left - right)
    this.#faulty = indices.filter((index) => copies.get(index)!.isFaulty)
    this.#honest = shuffled(
      indices.filter((index) => !copies.get(index)!.isFaulty),
      random
    )
    this.#hidden = this.#faulty[random.between(0, this.#faulty.length - 1)] ?? -1
    const few = Math.max(0, context.quorum - this.#faulty.length)
    this.#shown = new Set(shuffled(this.#honest, random).slice(0, few))
    this.#witness = this.#honest[0] ?? -1
    this.#lockers = new Set(this.#honest.slice(0, random.chance(0.7) ? this.#honest.length : few))
    this.#last = this.#plan()
  }

  /** Gives every view its act; acts that need a faulty proposer come in its views. */
  #plan(): number {
    let view = 0
    for (const act of this.#script.acts) {
      if (BREAKS.has(act)) {
        const until = view + WAIT_MAX_VIEWS
        while (view < until && !this.#isFaultyTurn(view)) this.#acts.set(view++, 'starve')
        if (!this.#isFaultyTurn(view)) break
      }
      this.#acts.set(view++, act)
    }
    return view - 1
  }

  #isFaultyTurn(view: number): boolean {
    return this.#faulty.includes(proposerOf(this.#scene.context, view))
  }

  /** Whether the plan is finished; then the network heals. */
  get isOver(): boolean {
    return this.#over
  }

  /** Changes when something may pass that was blocked before. */
  get openness(): number {
    return (this.#over ? 2 : 0) + (this.#released ? 1 : 0)
  }

  /** Whether a message of `author` may arrive at `to` now. */
  passes({ kind, header, body }: Envelope, author: number, to: number): boolean {
    if (this.#over || this.#faulty.includes(to)) return true
    if (this.#faulty.includes(author)) return this.#passesFaulty(kind, header.slot, author, to)
    const act = this.#acts.get(header.slot)
    if (kind !== 'proposal' && kind !== 'prevote' && kind !== 'precommit') return true
    if (act === 'outrun' && (to === this.#witness || author === this.#witness)) return false
    if (kind === 'proposal') {
      if (act === 'starve' || act === 'outrun') return false
      return !(act !== undefined && BREAKS.has(act)) || to !== this.#witness
    }
    const { cut } = body as Body<'prevote'>
    if (cut === null) return true
    if (act === 'hide-polka') return this.#isAmongFew(author, to)
    if (act !== 'lock' && act !== 'half-lock') return true
    if (kind === 'prevote') return this.#lockers.has(to) || this.#isAmongFew(author, to)
    return (act === 'lock' && to === this.#witness) || this.#isAmongFew(author, to)
  }

  /** What faulty members say to one member must not reach others by sync: the script decides what each member hears. */
  #passesFaulty(kind: Kind, slot: number, author: number, to: number): boolean {
    if (kind === 'manifest') return author !== this.#hidden || this.#shown.has(to)
    if (kind === 'endorsement') return slot !== this.#hidden || this.#released
    return kind === 'attestation'
  }

  /** Whether a certificate may arrive: the hidden author's is known to the faulty alone until it is shown. */
  passesCertificate(author: number): boolean {
    return this.#over || this.#released || author !== this.#hidden
  }

  /** Every honest member hears one vote too few: its own and those of the q − 2 honest members after it. */
  #isAmongFew(author: number, to: number): boolean {
    const honest = this.#honest.toSorted((left, right) => left - right)
    const distance = (honest.indexOf(author) - honest.indexOf(to) + honest.length) % honest.length
    return distance > 0 && distance < this.#scene.context.quorum - 1
  }

  /** What a faulty member's own software may send; the script says the rest. */
  utter(from: Copy, message: Message, to: Copy): readonly Uint8Array[] {
    const { kind, author, slot, bytes } = message
    if (isKind(message, 'manifest') && author === this.#hidden) {
      this.#hiddenManifest ??= message
      return this.#shown.has(this.#indexOf(to)) || to.isFaulty || this.#over ? [bytes] : []
    }
    if (this.#over) return this.#script.afterwards === 'loyal' || isBefore(kind) ? [bytes] : []
    if (kind === 'endorsement') return slot !== this.#hidden || this.#released ? [bytes] : []
    if (kind === 'ready' || kind === 'proposal' || kind === 'prevote' || kind === 'precommit') return []
    return from.behaviours.has('silent') ? [] : [bytes]
  }

  #indexOf(copy: Copy): number {
    for (const [index, candidate] of this.#scene.copies) if (candidate.person === copy.person) return index
    return -1
  }

  /** Observes the honest members after each of their steps, and speaks for the faulty ones when it is time. */
  observe(): void {
    if (this.#over || this.#faulty.length === 0) return
    let highest = -1
    let isDecided = this.#honest.length > 0
    for (const index of this.#honest) {
      const state = this.#scene.copies.get(index)!.state
      if (state?.context.round !== this.#scene.context.round) continue
      if (state.committed !== undefined && index !== this.#witness) continue
      if (index !== this.#witness || state.committed === undefined) isDecided = false
      highest = Math.max(highest, state.view)
    }
    for (let view = 0; view <= Math.min(highest, this.#last); view++) this.#play(view)
    if (highest > this.#last || (isDecided && this.#played.size > 0)) this.#over = true
  }

  #play(view: number): void {
    if (this.#played.has(view)) return
    const act = this.#acts.get(view)!
    if (act === 'starve' || act === 'outrun') {
      this.#played.add(view)
      this.#voteAll(view, null, act === 'outrun' ? this.#witness : -1)
      return
    }
    if (act.startsWith('break')) this.#release()
    if (this.#isFaultyTurn(view) && !this.#hasProposed(view)) this.#propose(view, act)
    const cut = this.#cutOf(view)
    if (cut === undefined) return
    this.#played.add(view)
    const id = cutId(this.#scene.context, cut)
    if (act === 'hide-polka') {
      this.#votes.push({
        view,
        kept: this.#faulty.map((member) => [member, this.#vote(member, 'prevote', view, id)])
      })
      this.#voteAll(view, null)
      // The hidden quorum was for the cut without the hidden author; the next proposer names that author too.
      this.#release()
    } else if (act === 'lock' || act === 'half-lock') this.#lock(view, act === 'lock' ? id : null, id)
    else this.#voteAll(view, id)
  }

  /** @param decision the precommit of the faulty members as shown to the witness */
  #lock(view: number, decision: Uint8Array | null, id: Uint8Array): void {
    for (const member of this.#faulty) {
      for (const to of this.#honest) {
        const copy = this.#scene.copies.get(to)!
        this.#scene.inject(copy, this.#vote(member, 'prevote', view, this.#lockers.has(to) ? id : null))
        this.#scene.inject(
          copy,
          this.#vote(member, 'precommit', view, to === this.#witness ? decision : null)
        )
      }
    }
  }

  #voteAll(view: number, id: Uint8Array | null, except = -1): void {
    for (const kind of ['prevote', 'precommit'] as const)
      for (const member of this.#faulty) this.#tellHonest(this.#vote(member, kind, view, id), except)
  }

  #vote(member: number, kind: 'prevote' | 'precommit', view: number, cut: Uint8Array | null): Uint8Array {
    return this.#sign(member, kind, view, { cut })
  }

  #sign<K extends Kind>(member: number, kind: K, slot: number, body: Body<K>): Uint8Array {
    const { signer } = this.#scene.copies.get(member)!.environment
    return signMessage(this.#scene.context, signer, kind, slot, body).bytes
  }

  #tellHonest(bytes: Uint8Array, except = -1): void {
    for (const to of this.#honest) if (to !== except) this.#scene.inject(this.#scene.copies.get(to)!, bytes)
  }

  /** Completes the hidden author's certificate, and sends readies that include it. */
  #release(): void {
    if (this.#released || this.#hiddenManifest === undefined) return
    this.#released = true
    for (const member of this.#faulty) {
      this.#tellHonest(this.#sign(member, 'endorsement', this.#hidden, { manifest: this.#hiddenManifest.id }))
      this.#tellHonest(this.#sign(member, 'ready', 0, { certified: this.#bitmap([this.#hidden]) }))
    }
  }

  #bitmap(more: readonly number[]): Uint8Array {
    return bitmapOf(this.#scene.context.members.length, [...this.#certified().keys(), ...more])
  }

  /** Manifests that some honest member holds a certificate of. */
  #certified(): Map<number, Uint8Array> {
    const all = new Map<number, Uint8Array>()
    for (const index of this.#honest) {
      const state = this.#scene.copies.get(index)!.state
      if (state?.context.round !== this.#scene.context.round) continue
      for (const { author, manifest } of state.certificates.values()) all.set(author, manifest)
    }
    return all
  }

  #hasProposed(view: number): boolean {
    return this.#cutOf(view) !== undefined
  }

  readonly #proposed = new Map<number, Cut>()

  /** The cut of a view's proposal, by an honest member or by the script. */
  #cutOf(view: number): Cut | undefined {
    const own = this.#proposed.get(view)
    if (own !== undefined) return own
    if (this.#isFaultyTurn(view)) return undefined
    const said = this.#scene.messages.find(({ kind, slot }) => kind === 'proposal' && slot === view)
    return (said?.body as Proposal | undefined)?.cut
  }

  #propose(view: number, act: Act): void {
    const proposal = this.#proposal(view, act)
    if (proposal === undefined) return
    this.#proposed.set(view, proposal.cut)
    if (proposal.validView >= 0)
      for (const { kept } of this.#votes) for (const [, bytes] of kept) this.#tellHonest(bytes)
    const bytes = this.#sign(proposerOf(this.#scene.context, view), 'proposal', view, proposal)
    this.#tellHonest(bytes, BREAKS.has(act) ? this.#witness : -1)
  }

  #proposal(view: number, act: Act): Proposal | undefined {
    if (act === 'break-with-old-polka') {
      const first = this.#votes[0]
      const cut = first && this.#cutOf(first.view)
      return first && cut && { cut, validView: first.view, readies: [] }
    }
    // Before the break an honest-looking proposal: from honest readies alone.
    const isBreak = BREAKS.has(act)
    const more = isBreak || (this.#released && act === 'lock') ? [this.#hidden] : []
    if (more.length > 0 && this.#hiddenManifest === undefined) return undefined
    const fresh = this.#fresh(more)
    if (fresh === undefined || act !== 'break-without-polka') return fresh
    return view === 0 ? undefined : { cut: fresh.cut, validView: view - 1, readies: [] }
  }

  /** A fresh proposal that keeps rule 4: with one faulty ready that names `more`, or with honest readies alone. */
  #fresh(more: readonly number[]): Proposal | undefined {
    const { context, messages } = this.#scene
    const certified = this.#certified()
    for (const author of more) certified.set(author, this.#hiddenManifest!.id)
    const readies: CarriedReady[] = []
    for (const message of messages) {
      if (!isKind(message, 'ready') || this.#faulty.includes(message.author)) continue
      if (readies.some(({ member }) => member === message.author)) continue
      readies.push({
        member: message.author,
        certified: message.body.certified,
        signature: message.signature
      })
    }
    if (more.length > 0) {
      const body = { certified: this.#bitmap(more) }
      const member = this.#faulty[0]!
      const { signer } = this.#scene.copies.get(member)!.environment
      readies.unshift({
        member,
        ...body,
        signature: signMessage(context, signer, 'ready', 0, body).signature
      })
    }
    if (readies.length < context.quorum) return undefined
    const chosen = readies.slice(0, context.quorum).sort((left, right) => left.member - right.member)
    const union = [...new Set(chosen.flatMap(({ certified: bits }) => bitsOf(bits)))]
    if (union.some((author) => !certified.has(author))) return undefined
    const stacked = union.length < context.charter.minShards ? [] : union
    const cut = cutOf(
      context,
      stacked.map((author) => ({ author, id: certified.get(author)! }))
    )
    return { cut, validView: -1, readies: chosen }
  }
}

function isBefore(kind: Kind): boolean {
  return kind === 'manifest' || kind === 'endorsement'
}

function shuffled<T>(values: readonly T[], random: SeededRandom): T[] {
  const rest = [...values]
  const drawn: T[] = []
  while (rest.length > 0) drawn.push(...rest.splice(random.between(0, rest.length - 1), 1))
  return drawn
}
