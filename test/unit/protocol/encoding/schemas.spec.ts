import assert from 'node:assert/strict'
import { digestOf, simulatedConsortium } from '../../../../sim/consortium/simulated-consortium.ts'
import { handshakeSchema } from '../../../../src/node/network/peers/handshake.ts'
import { checkCharter, encodeCharter } from '../../../../src/protocol/charter/charter.ts'
import { decodeInvite, encodeInvite } from '../../../../src/protocol/charter/invite.ts'
import { textSchema } from '../../../../src/protocol/encoding/schemas.ts'
import { createSigner, verifyEd25519 } from '../../../../src/protocol/encoding/signature.ts'

const { signed, signers } = simulatedConsortium(4, {}, (index) => createSigner(digestOf(`key ${index}`)))
const steering = [
  '\u001b[2J',
  '\u0007',
  '\r',
  '\n',
  '\u0000',
  '\u007f',
  '\u009b2J',
  '\u2028',
  '\u202e',
  '\u2066'
]

describe('text from others', () => {
  it('may be in any script, without terminal control characters', () => {
    const schema = textSchema(20)
    for (const text of ['Zürich — 東京', 'می‌خواهم', '👩‍🔬', '\u00a0'])
      assert.equal(schema.safeParse(text).success, true, text)
    for (const text of steering)
      assert.match(
        schema.safeParse(`a${text}`).error?.message ?? '',
        /control characters/,
        JSON.stringify(text)
      )
  })

  it('is refused with them as the name of a charter or of a module', () => {
    const { charter } = signed
    const [module, ...others] = charter.base.modules
    for (const text of steering) {
      assert.throws(() => checkCharter({ ...charter, name: `c${text}` }), {
        name: 'MalformedError',
        message: /^name: must not contain control characters/
      })
      const modules = [{ ...module!, module: `${module!.module}${text}` }, ...others]
      assert.throws(() => checkCharter({ ...charter, base: { ...charter.base, modules } }), {
        message: /^base\.modules\.0\.module: must not contain control characters/
      })
    }
  })

  it('is refused with them in an address of an invite', () => {
    for (const text of steering) {
      const terms = {
        charter: encodeCharter(signed.charter, signers),
        round: 0,
        seal: digestOf('seal'),
        model: digestOf('model'),
        bootstrap: [`/ip4/192.0.2.7/tcp/4001${text}`],
        expires: 2_000_000_000
      }
      assert.throws(() => decodeInvite(encodeInvite(terms, signers[0]!), verifyEd25519), {
        message: /^terms\.bootstrap\.0: must not contain control characters/
      })
    }
  })

  it('is refused with them as the software of a handshake', () => {
    const said = { protocol: 1, charter: new Uint8Array(32), clock: 1 }
    assert.equal(handshakeSchema.safeParse({ ...said, software: 'loam/0.1.0', later: 1 }).success, true)
    for (const text of steering)
      assert.equal(handshakeSchema.safeParse({ ...said, software: `loam${text}` }).success, false)
  })
})
