import { hex } from '../../src/protocol/encoding/bytes.ts'
import { offenderOf } from '../../src/protocol/messages/evidence.ts'
import { isKind } from '../../src/protocol/messages/judge.ts'
import type { Message } from '../../src/protocol/messages/message.ts'
import type { PeerState } from '../../src/protocol/state/state.ts'
import type { Copy } from '../consortium/copy.ts'

/** The messages that one copy heard in a round. */
interface Heard {
  readonly parent: Uint8Array
  readonly ids: Map<string, string>
}

const VIEW_KINDS: ReadonlySet<string> = new Set(['proposal', 'prevote', 'precommit'])

/** The members against which a copy has proof, from what it heard, of two different messages of one kind and slot. */
export class Proofs {
  readonly #heard = new Map<Copy, Heard>()
  readonly #against = new Map<Copy, Set<string>>()

  heard(copy: Copy, { context, view, halted }: PeerState, message: Message): void {
    if (halted !== undefined) return
    if (isKind(message, 'evidence')) {
      this.#prove(copy, hex(offenderOf(message.body)))
      return
    }
    const { kind, slot, author, header } = message
    // Members need not keep messages of views far ahead.
    if (VIEW_KINDS.has(kind) && slot > Math.max(view, 0) + 1) return
    const known = this.#heard.get(copy)
    const heard = known?.parent === context.parent ? known : { parent: context.parent, ids: new Map() }
    this.#heard.set(copy, heard)
    const key = `${author} ${kind}/${slot}`
    const before = heard.ids.get(key)
    const id = hex(message.id)
    if (before === undefined) heard.ids.set(key, id)
    else if (before !== id) this.#prove(copy, hex(header.author))
  }

  #prove(copy: Copy, offender: string): void {
    this.#against.set(copy, (this.#against.get(copy) ?? new Set()).add(offender))
  }

  against(copy: Copy): ReadonlySet<string> {
    return this.#against.get(copy) ?? new Set()
  }

  forget(copy: Copy): void {
    this.#heard.delete(copy)
    this.#against.delete(copy)
  }
}
