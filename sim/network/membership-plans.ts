import type { ChangeRequest } from '../../src/protocol/messages/bodies.ts'
import type { SignedRequest } from '../../src/protocol/messages/membership.ts'
import { signRequest } from '../../src/protocol/messages/membership.ts'
import type { RoundContext } from '../../src/protocol/round/context.ts'
import { type Copy, isHonest } from '../consortium/copy.ts'
import type { MembershipPlan } from '../scenarios/scenario.ts'
import type { World } from '../world/world.ts'

/** Number of rounds within which a request may take effect. */
const EXPIRY_ROUNDS = 20
const REQUEST_AFTER_MS = 50

/** Rule 11: tells members at the start of a round which peers are to join and leave. */
export class MembershipPlans {
  readonly #world: World
  readonly #requests = new Map<MembershipPlan, SignedRequest>()

  constructor(world: World) {
    this.#world = world
  }

  /** Makes the operator of a copy submit the requests of the round that begins. */
  begin(copy: Copy, context: RoundContext): void {
    if (!isHonest(copy)) return
    for (const plan of this.#world.scenario.changes ?? []) {
      if (plan.round !== context.round || !this.#asks(copy, plan)) continue
      const signedRequest = this.#requestOf(plan, context)
      this.#world.happen(copy, REQUEST_AFTER_MS, { type: 'membershipRequest', signedRequest })
    }
  }

  #asks({ person }: Copy, { type, by, person: subject }: MembershipPlan): boolean {
    return type === 'leave'
      ? person === subject
      : person !== subject && (by === undefined || by.includes(person))
  }

  /** The same request for all members that submit it. */
  #requestOf(plan: MembershipPlan, context: RoundContext): SignedRequest {
    const known = this.#requests.get(plan)
    if (known !== undefined) return known
    const { copies, chains } = this.#world
    const { peer, environment } = copies.find(({ person }) => person === plan.person)!
    const request: ChangeRequest = {
      type: plan.type,
      peer,
      anchor: plan.type === 'join' ? chains[plan.person]!.anchor : null,
      seal: context.parent,
      model: context.modelDigest,
      expiry: context.round + EXPIRY_ROUNDS
    }
    const own = plan.type === 'evict' ? null : signRequest(context.charterId, request, environment.signer)
    const signedRequest = { request, own }
    this.#requests.set(plan, signedRequest)
    return signedRequest
  }
}
