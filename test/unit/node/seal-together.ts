import assert from 'node:assert/strict'
import type { Identity } from '../../../src/node/home/identity.ts'
import {
  type Effect,
  hex,
  type PeerEvent,
  type RoundContext,
  type SealedRound,
  start,
  step,
  verifyEd25519
} from '../../../src/protocol/index.ts'
import type { SignedRequest } from '../../../src/protocol/messages/membership.ts'

/**
 * Runs a round of several members by the protocol alone to its seal. Nobody trains, so it is void.
 *
 * @param requests that every member supports
 */
export function sealTogether(
  identities: readonly Identity[],
  context: RoundContext,
  requests: readonly SignedRequest[] = []
): SealedRound {
  const waiting: (() => void)[] = []
  /** Handled when nothing else is pending. */
  const timers: (() => void)[] = []
  let sealed: SealedRound | undefined
  const members = identities.map(({ signer }) => {
    const environment = { signer, verify: verifyEd25519 }
    const first = start(context, environment)
    let { state } = first
    const carryOut = (effects: readonly Effect[]) => {
      for (const effect of effects) waiting.push(() => act(effect))
    }
    const happen = (event: PeerEvent) => {
      const next = step(state, event, environment)
      state = next.state
      carryOut(next.effects)
    }
    const act = (effect: Effect) => {
      const { round } = context
      if (effect.type === 'sealed' && effect.context.round === round) sealed ??= effect.sealedRound
      if (sealed !== undefined) return
      if (effect.type === 'train') happen({ type: 'trainingFailed', round, reason: 'nobody trains here' })
      if (effect.type === 'timer') timers.push(() => happen({ type: 'timeout', round, timer: effect.timer }))
      if (effect.type === 'build')
        happen({ type: 'built', cut: effect.cutId, stack: null, model: context.modelDigest })
      if (effect.type === 'broadcast')
        for (const other of members)
          if (other.name !== hex(signer.peer)) other.happen({ type: 'message', message: effect.message })
    }
    return { name: hex(signer.peer), happen, begin: () => carryOut(first.effects) }
  })
  for (const { begin } of members) begin()
  for (const { happen } of members)
    for (const signedRequest of requests) happen({ type: 'membershipRequest', signedRequest })
  const next = () => waiting.shift() ?? timers.shift()
  for (let turn = next(); turn !== undefined && sealed === undefined; turn = next()) turn()
  return sealed ?? assert.fail('the round was not sealed')
}
