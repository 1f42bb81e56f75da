import type { RevealChain } from '../../src/protocol/charter/reveal-chain.ts'
import { createSigner, peerOf, type Signer, type Verify } from '../../src/protocol/encoding/signature.ts'
import { genesisContext, type RoundContext } from '../../src/protocol/round/context.ts'
import type { Behaviour, Scenario } from '../scenarios/scenario.ts'
import type { Copy } from './copy.ts'
import { idealSigner } from './ideal-signatures.ts'
import { CHAIN_LENGTH, digestOf, simulatedConsortium } from './simulated-consortium.ts'

function runsTwice(behaviours: ReadonlySet<Behaviour>): boolean {
  return behaviours.has('twin') || behaviours.has('copied')
}

/** All people in a simulation: the charter's members in the order of their PeerIds, then the peers that will ask to join. */
export interface People {
  readonly copies: Copy[]
  readonly chains: readonly RevealChain[]
  readonly outsider: Signer
  readonly genesis: RoundContext
}

export function peopleOf(scenario: Scenario, verify: Verify): People {
  const { seed, members, joiners = 0, faulty, clocks } = scenario
  const signerOf = (index: number | 'outsider') => {
    const secret = digestOf(`key ${seed} ${index}`)
    return scenario.signatures === 'real' ? createSigner(secret) : idealSigner(peerOf(secret))
  }
  const { signed, people } = simulatedConsortium(
    members,
    {
      name: `simulated ${seed}`,
      minShards: scenario.minShards,
      timeouts: scenario.timeouts,
      ...scenario.charter
    },
    signerOf,
    joiners,
    // Rounds still in progress when all have sealed the last one need a reveal, too.
    scenario.rounds < CHAIN_LENGTH / 2 ? CHAIN_LENGTH : 2 * scenario.rounds
  )
  const genesis = genesisContext(signed)
  const behavioursOf = new Map(faulty.map(({ member, behaviours }) => [member, new Set(behaviours)]))
  const copies: Copy[] = []
  for (const [person, { signer }] of people.entries()) {
    const behaviours = behavioursOf.get(person) ?? new Set<Behaviour>()
    for (const twin of runsTwice(behaviours) ? ([0, 1] as const) : ([0] as const))
      copies.push({
        name: `${person}${twin === 0 ? '' : "'"}`,
        person,
        twin,
        peer: signer.peer,
        isFaulty: behavioursOf.has(person),
        behaviours,
        environment: { signer, verify, now: 0 },
        clock: clocks[person] ?? 1,
        log: [],
        sealed: new Map(),
        context: genesis,
        model: genesis.modelDigest,
        built: undefined,
        state: undefined,
        life: 0,
        effects: 0,
        turn: person,
        told: new Map(),
        changes: [],
        lostIn: 0,
        awayUntil: 0,
        floods: 0,
        words: new Set(),
        contradictedIn: 0
      })
  }
  return { copies, chains: people.map(({ chain }) => chain), outsider: signerOf('outsider'), genesis }
}
