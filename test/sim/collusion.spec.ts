import assert from 'node:assert/strict'
import { runScenario } from '../../sim/runs/run-seed.ts'
import { type Act, type Behaviour, CALM, type Scenario, type Script } from '../../sim/scenarios/scenario.ts'
import { situations } from '../../sim/scenarios/situations.ts'

/** What all colluders do in every round. */
const COLLUSIONS: Readonly<Record<string, readonly Behaviour[]>> = {
  'contradict themselves in every kind of message': [
    'equivocates-manifest',
    'equivocates-endorsement',
    'equivocates-ready',
    'equivocates-proposal',
    'equivocates-prevote',
    'equivocates-precommit',
    'equivocates-attestation'
  ],
  'vouch for what nobody has, and for harm': ['endorses-unfetched', 'withholds-blocks', 'trains-harm'],
  'propose what others left out, and attest what nobody built': [
    'proposes-partial',
    'proposes-few',
    'attests-false-digests',
    'forges'
  ],
  'talk to some members alone, and give false histories': ['selective', 'gives-false-rounds', 'replays'],
  'say nothing at all': ['silent'],
  'fill what they can fill': ['floods', 'floods-uselessly', 'errs-early']
}

/** How they time their votes with the network; each plot ends with the honest members locked on another cut. */
const PLOTS: readonly (readonly Act[])[] = [
  ['lock', 'break-fresh'],
  ['lock', 'break-without-polka'],
  ['hide-polka', 'lock', 'break-with-old-polka'],
  ['half-lock', 'half-lock', 'break-fresh', 'smuggle']
]

/** The first f members collude. */
function collusion(
  members: number,
  seed: number,
  change: Partial<Scenario>,
  behaviours: readonly Behaviour[]
) {
  const faulty = Math.floor((members - 1) / 3)
  return {
    ...situations.quorum!(seed),
    members,
    clocks: new Array<number>(members).fill(1),
    rounds: 3,
    weather: [CALM],
    charter: { heldOutVeto: { margin: 0.5 } },
    faulty: Array.from({ length: faulty }, (_, member) => ({ member, behaviours })),
    ...change
  }
}

for (const members of [7, 10])
  describe(`as many colluding members as ${members} tolerate`, function () {
    this.timeout(300_000)
    const holds = (scenario: Scenario) => {
      const { failure, rounds } = runScenario(scenario)
      assert.equal(failure, undefined)
      assert.ok(rounds >= scenario.rounds, `${rounds} rounds`)
    }

    for (const [name, behaviours] of Object.entries(COLLUSIONS))
      it(`neither split nor stall the honest members: ${name}`, () => {
        for (const seed of [1, 2]) holds(collusion(members, seed, {}, behaviours))
      })

    for (const acts of PLOTS)
      it(`neither split nor stall the honest members: ${acts.join(', ')}`, () => {
        for (const afterwards of ['silent', 'loyal'] satisfies Script['afterwards'][]) {
          const weather = [{ ...CALM, script: { acts, afterwards, draw: members } }]
          holds(collusion(members, 3, { weather }, ['replays']))
        }
      })
  })
