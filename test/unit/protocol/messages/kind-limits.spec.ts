import assert from 'node:assert/strict'
import { ScriptedConsortium } from '../../../../sim/consortium/scripted-consortium.ts'
import { digestOf } from '../../../../sim/consortium/simulated-consortium.ts'
import { evidenceOf } from '../../../../src/protocol/messages/evidence.ts'
import type { Kind } from '../../../../src/protocol/messages/header.ts'
import { KIND_BYTES_MAX, type Message, signMessage } from '../../../../src/protocol/messages/message.ts'

describe('the limits of an envelope by kind (rule 15)', () => {
  it('leave room for the largest message of each small kind', () => {
    const table = new ScriptedConsortium(4)
    const digest = digestOf('digest')
    const attestation = (text: string) => ({ cut: digestOf(text), stack: digest, model: digest })
    const said = (attempt: number, text: string) =>
      table.said(1, 'attestation', attempt, attestation(text)) as Message
    const evidence = evidenceOf(said(0, 'a'), said(15, 'b'))!
    const { signer } = table.environment(0)
    const peer = signer.peer
    const request = {
      type: 'evict',
      peer,
      anchor: digest,
      seal: digest,
      model: digest,
      expiry: 2 ** 50
    } as const
    const sizes: Partial<Record<Kind, number>> = {
      endorsement: table.said(0, 'endorsement', 1, { manifest: digest }).bytes.length,
      ready: signMessage(table.context, signer, 'ready', 0, { certified: new Uint8Array(512) }).bytes.length,
      prevote: table.said(0, 'prevote', 2 ** 40, { cut: digest }).bytes.length,
      precommit: table.said(0, 'precommit', 2 ** 40, { cut: digest }).bytes.length,
      attestation: said(15, 'a').bytes.length,
      evidence: table.said(0, 'evidence', 1, evidence).bytes.length,
      'membership-vote': signMessage(table.context, signer, 'membership-vote', 7, {
        request,
        own: new Uint8Array(64),
        admit: new Uint8Array(64)
      }).bytes.length
    }
    for (const [kind, size] of Object.entries(sizes)) {
      assert.ok(size < KIND_BYTES_MAX[kind as Kind], `${kind}: ${size}`)
      assert.ok(size * 4 > KIND_BYTES_MAX[kind as Kind], `${kind}: ${size} leaves too much room`)
    }
  })
})
