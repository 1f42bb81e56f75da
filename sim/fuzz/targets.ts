import { decodeCharter, encodeCharter } from '../../src/protocol/charter/charter.ts'
import { equalBytes } from '../../src/protocol/encoding/bytes.ts'
import { decodeSealedRound, peekSealedRound } from '../../src/protocol/history/sealed-round.ts'
import { judge } from '../../src/protocol/messages/judge.ts'
import { decodeEnvelope } from '../../src/protocol/messages/message.ts'
import type { PeerState } from '../../src/protocol/state/state.ts'
import {
  answerSync,
  decodeSyncAnswer,
  decodeSyncRequest,
  encodeSyncAnswer,
  encodeSyncRequest,
  syncRequest
} from '../../src/protocol/sync.ts'
import { verifyIdeal } from '../consortium/ideal-signatures.ts'
import { simulatedConsortium } from '../consortium/simulated-consortium.ts'
import { Network } from '../network/network.ts'
import { drawScenario } from '../scenarios/draw-scenario.ts'

/** A decoder of bytes from outside, with valid inputs to start from. */
export interface Target {
  readonly kind: string
  readonly samples: readonly Uint8Array[]
  /** Reads, and judges where a peer would. @throws {MalformedError} and nothing else */
  read(bytes: Uint8Array): unknown
}

/** Number of simulated consortia whose messages are the valid inputs. */
const SEEDS = [12, 16, 1]
/** Maximum number of valid inputs per kind. */
const SAMPLES_MAX = 64

/** Every decoder of the wire, one for each kind of message. */
export function wireTargets(): Target[] {
  const envelopes = new Map<string, Uint8Array[]>()
  const sealed: Uint8Array[] = []
  const states: PeerState[] = []
  const networks = SEEDS.map((seed) => {
    const network: Network = new Network(drawScenario(seed), {
      sent({ kind, header, bytes }) {
        if (header.round !== 1) return
        const known = envelopes.get(kind) ?? []
        if (known.length < SAMPLES_MAX) envelopes.set(kind, [...known, bytes])
        const { state } = network.copies[0]!
        if (state?.context.round === 1 && states.length < SAMPLES_MAX) states.push(state)
      },
      sealed: (round, bytes) => round === 1 && sealed.length < SAMPLES_MAX && sealed.push(bytes)
    })
    network.run()
    return network
  })
  const contexts = networks.map((network) => network.copies[0]!.sealed.get(1)!.context)
  const context = contexts[0]!
  const requests = states.map((state) => syncRequest(state))
  const answers = states.map((_, index) => ({
    version: 1 as const,
    round: 1,
    attested: 0,
    sealedRounds: sealed.slice(0, index % 3),
    ...answerSync(states.at(-1)!, requests[index % requests.length]!)
  }))
  const { signed, signers } = simulatedConsortium(4)
  return [
    ...[...envelopes].map(([kind, samples]) => ({
      kind,
      samples,
      read: (bytes: Uint8Array) => judge(context, decodeEnvelope(bytes), verifyIdeal)
    })),
    {
      kind: 'sealed-round',
      samples: sealed,
      read(bytes) {
        const { parent } = peekSealedRound(bytes)
        const judging = contexts.find((each) => equalBytes(each.parent, parent)) ?? context
        return decodeSealedRound(judging, bytes, verifyIdeal)
      }
    },
    { kind: 'sync-request', samples: requests.map(encodeSyncRequest), read: decodeSyncRequest },
    { kind: 'sync-answer', samples: answers.map(encodeSyncAnswer), read: decodeSyncAnswer },
    {
      kind: 'charter',
      samples: [encodeCharter(signed.charter, signers)],
      read: (bytes) => decodeCharter(bytes, verifyIdeal)
    }
  ]
}
