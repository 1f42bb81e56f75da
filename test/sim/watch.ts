import { bitsOf, equalBytes, hex } from '../../src/protocol/bytes.ts'
import type { Certificate, Cut } from '../../src/protocol/messages/bodies.ts'
import { isKind } from '../../src/protocol/messages/judge.ts'
import type { Message } from '../../src/protocol/messages/message.ts'
import type { RoundContext } from '../../src/protocol/round-context.ts'

/** Sees all that the honest members say and do, which no member does, and notes what must never happen. */
export class Watch {
  readonly #violations: string[]
  /** Ids of what was said, by member, round, kind and slot. */
  readonly #said = new Map<string, string>()
  readonly #certified = new Map<string, string>()
  /** Who was named in a round's readies by how many honest members. */
  readonly #named = new Map<number, Map<number, number>>()

  constructor(violations: string[]) {
    this.#violations = violations
  }

  /** Rules 1 and 5: one word in each place, before and after a crash. */
  broadcast(name: string, message: Message): void {
    const { kind, slot, header } = message
    const key = `${name} ${header.round} ${kind}/${slot}`
    const before = this.#said.get(key)
    this.#said.set(key, hex(message.id))
    if (before !== undefined && before !== hex(message.id))
      this.#violations.push(`${name} said two things in ${kind}/${slot} of round ${header.round}`)
    if (before === undefined && isKind(message, 'ready')) this.#count(header.round, message)
  }

  #count(round: number, { body }: Message<'ready'>): void {
    const counts = this.#named.get(round) ?? new Map<number, number>()
    for (const author of bitsOf(body.certified)) counts.set(author, (counts.get(author) ?? 0) + 1)
    this.#named.set(round, counts)
  }

  /** Rule 1: never two manifests of one author in one round. */
  certified(round: number, { author, manifest }: Certificate): void {
    const key = `${round} ${author}`
    const before = this.#certified.get(key)
    this.#certified.set(key, hex(manifest))
    if (before !== undefined && before !== hex(manifest))
      this.#violations.push(`two manifests of ${author} were certified in round ${round}`)
  }

  /** Rule 4: what n − q + 1 honest members named is in the cut; what is in the cut is certified. */
  sealed({ round, members, quorum }: RoundContext, cut: Cut): void {
    for (const [author, count] of this.#named.get(round) ?? []) {
      const isIn = cut.entries.some((entry) => equalBytes(entry.author, members[author]!.peer))
      if (!isIn && count > members.length - quorum)
        this.#violations.push(`${author} was kept out of round ${round}, though ${count} members named it`)
    }
    for (const entry of cut.entries) {
      const author = members.findIndex(({ peer }) => equalBytes(peer, entry.author))
      if (this.#certified.get(`${round} ${author}`) !== hex(entry.manifest))
        this.#violations.push(`round ${round} stacks a manifest of ${author} that is not certified`)
    }
  }
}
