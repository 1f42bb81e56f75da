import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { digestOf } from '../../../../sim/consortium/simulated-consortium.ts'
import { TrustedChain } from '../../../../src/node/catch-up/trusted-chain.ts'
import type { Home } from '../../../../src/node/home/home.ts'
import {
  contextAfter,
  decodeInvite,
  encodeCharter,
  encodeInvite,
  encodeSealedRound,
  genesisContext,
  type RoundContext,
  type SealedRound,
  type Signer,
  verifyEd25519
} from '../../../../src/protocol/index.ts'
import { type OneMember, oneMember, sealRound } from '../one-member.ts'
import { temporaryHome } from '../temporary-home.ts'

/** Sealed rounds with digests derived from words, each in its own context, and the context after them. */
function history(member: OneMember, words: readonly string[]) {
  let context: RoundContext = genesisContext(member.charter)
  const rounds: SealedRound[] = []
  for (const word of words) {
    const sealed = sealRound(member, context, { stack: digestOf(`${word} stack`), model: digestOf(word) })
    rounds.push(sealed)
    context = contextAfter(context, sealed)
  }
  return { rounds, bytes: rounds.map(encodeSealedRound), context }
}

describe('a history checked against an invite’s seal', () => {
  let home: Home
  let remove: () => Promise<void>
  let member: OneMember

  before(async () => {
    ;({ home, remove } = await temporaryHome())
    member = await oneMember(home)
  })
  after(() => remove())

  /** An invite of the member (or of another) to the end of a history. */
  const invite = ({ context }: { context: RoundContext }, signer: Signer = member.identity.signer) =>
    decodeInvite(
      encodeInvite(
        {
          charter: encodeCharter(member.charter.charter, [member.identity.signer]),
          round: context.round - 1,
          seal: context.parent,
          model: context.modelDigest,
          bootstrap: [],
          expires: 2_000_000_000
        },
        signer
      ),
      verifyEd25519
    )
  const chainFor = (told: ReturnType<typeof invite>) =>
    new TrustedChain(home, told, genesisContext(member.charter), verifyEd25519)

  it('is released whole, and only once it contains that seal', async () => {
    const told = history(member, ['a', 'b', 'c'])
    const chain = chainFor(invite(told))
    for (const bytes of told.bytes.slice(0, 2)) await chain.take(bytes)
    assert(!chain.isTrusted)
    await assert.rejects(chain.rounds(() => genesisContext(member.charter)).next(), /has not been reached/)
    await chain.take(told.bytes[2]!)
    assert(chain.isTrusted)
    let context = genesisContext(member.charter)
    const given: SealedRound[] = []
    for await (const sealed of chain.rounds(() => context)) {
      given.push(sealed)
      context = contextAfter(context, sealed)
    }
    assert.deepEqual(given.map(encodeSealedRound), told.bytes)
    await chain.clear()
    assert(!existsSync(join(home.folder, 'untrusted')), 'nothing of it stays beside the home’s own rounds')
  })

  it('is refused if the same keys signed another one: the liar is detected at the seal, and the next provider is asked', async () => {
    const right = history(member, ['a', 'b', 'c'])
    const forged = history(member, ['a', 'forged', 'c'])
    const liar = chainFor(invite(right))
    await liar.take(forged.bytes[0]!)
    await liar.take(forged.bytes[1]!)
    await assert.rejects(liar.take(forged.bytes[2]!), /its history has the seal .* in round 3, the invite/)
    assert(!liar.isTrusted)
    await liar.clear()
    const honest = chainFor(invite(right))
    for (const bytes of right.bytes) await honest.take(bytes)
    assert(honest.isTrusted)
    await honest.clear()
  })

  it('is refused at the first round with an invalid seal', async () => {
    const told = history(member, ['a', 'b'])
    const chain = chainFor(invite(told))
    await assert.rejects(chain.take(told.bytes[1]!), { name: 'MalformedError' }, 'not the next round')
    const changed = Uint8Array.from(told.bytes[0]!)
    changed[changed.length - 20]! ^= 1
    await assert.rejects(chain.take(changed), { name: 'MalformedError' })
    await chain.clear()
  })

  it('is refused if the invite’s signer is not a member after it', async () => {
    const told = history(member, ['a'])
    const stranger = await oneMember((await temporaryHome()).home, 2)
    const chain = chainFor(invite(told, stranger.identity.signer))
    await assert.rejects(chain.take(told.bytes[0]!), /who was not a member after round 1/)
    await chain.clear()
  })
})
