import { peerOf, verifyEd25519 } from '../../src/protocol/encoding/signature.ts'
import { cutId } from '../../src/protocol/messages/cut.ts'
import { signMessage } from '../../src/protocol/messages/message.ts'
import type { SignedRecord } from '../../src/protocol/state/effects.ts'
import { ScriptedConsortium } from '../consortium/scripted-consortium.ts'
import type { Violation } from '../invariants/watch.ts'

/**
 * Situations of a single member, for rules that never matter with at most f faulty members: the last line of defence
 * against more, and the verifier of signatures, which simulated consortia replace.
 */
export const seatSituations: Readonly<Record<string, () => Violation | undefined>> = {
  'attest-again': attestsAgain,
  'small-order': acceptsSmallOrder,
  'held-back': signsAtOnce
}

/** A member that attested one cut restarts, and more than f faulty ones make it commit another. */
function attestsAgain(): Violation | undefined {
  const table = new ScriptedConsortium(4)
  const self = 0
  const { context } = table
  const before = cutId(context, table.cut([table.manifest(1)]))
  const body = { cut: before, stack: context.parent, model: context.parent }
  const said = signMessage(context, table.environment(self).signer, 'attestation', 0, body)
  const log: SignedRecord[] = [{ type: 'signed', envelope: said.bytes }]
  const seat = table.sitAgain(self, log)
  const cut = table.cut([])
  const id = cutId(context, cut)
  const others = [1, 2, 3]
  seat.hear(...others.map((member) => table.ready(member, [])))
  seat.hear(table.proposal(0, cut, others))
  seat.hear(...others.map((member) => table.said(member, 'precommit', 0, { cut: id })))
  seat.take({ type: 'built', cut: id, stack: null, model: context.modelDigest })
  const cuts = new Set(
    seat.said('attestation').map((message) => Buffer.from(message.body.cut).toString('hex'))
  )
  return cuts.size > 1
    ? { invariant: 'equivocation', text: 'a member attested two cuts in one round' }
    : undefined
}

/** Under the neutral element as a key, R = B·0 and s = 0 fit every message: it must not count as a signer. */
function acceptsSmallOrder(): Violation | undefined {
  const neutral = Uint8Array.from({ length: 32 }, (_, index) => (index === 0 ? 1 : 0))
  const signature = Uint8Array.from([...neutral, ...new Uint8Array(32)])
  const fits = ['one word', 'another'].filter((text) =>
    verifyEd25519(peerOf(neutral), Buffer.from(text), signature)
  )
  return fits.length > 1 ? { invariant: 'forgery', text: 'one signature fits two messages' } : undefined
}

/**
 * A member that has just started does not know yet whether another copy of it is running: handshakes are the shell's
 * task.
 */
function signsAtOnce(): Violation | undefined {
  const seat = new ScriptedConsortium(4).sitAgain(0, [], undefined, true)
  seat.timeout('train')
  seat.timeout('gather')
  return seat.done('broadcast').length > 0
    ? { invariant: 'copied', text: 'a member signs before it knows that it is the only copy' }
    : undefined
}
