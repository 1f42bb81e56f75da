import assert from 'node:assert/strict'
import { drawScenario } from './draw-scenario.ts'
import { runScenario } from './run-seed.ts'
import { type Act, type Behaviour, CALM, type Scenario, type Weather } from './scenario.ts'

/** Four members, one of them faulty, for one round; the seed says who proposes when. */
function small(seed: number, weather: Partial<Weather>, behaviours: readonly Behaviour[]): Scenario {
  return {
    ...drawScenario(1),
    seed,
    members: 4,
    rounds: 1,
    minShards: 1,
    calmDelay: [5, 60],
    clocks: [1, 1, 1, 1],
    faulty: [{ member: 1, behaviours }],
    weather: [{ ...CALM, ...weather }]
  }
}

const script = (...acts: Act[]) => ({ script: { acts, afterwards: 'silent', draw: 1 } }) as const

/** A situation that shows a mutant, as a scenario of one round; no scenario knows of any mutant. */
const situations: Record<string, (seed: number) => Scenario> = {
  lock: (seed) => small(seed, script('lock', 'break-fresh'), ['replays']),
  proof: (seed) => small(seed, script('lock', 'break-without-polka'), ['replays']),
  unlock: (seed) => small(seed, script('hide-polka', 'lock', 'break-with-old-polka'), ['replays']),
  certified: (seed) => small(seed, script('smuggle'), ['replays']),
  'commit-view': (seed) => small(seed, script('lock'), ['replays']),
  quorum: (seed) => small(seed, {}, ['silent']),
  certificate: (seed) => small(seed, {}, ['silent']),
  signature: (seed) => small(seed, {}, ['forges', 'replays']),
  parent: (seed) => small(seed, {}, ['forges']),
  membership: (seed) => small(seed, {}, ['forges']),
  void: (seed) => ({ ...small(seed, { untrained: [0, 2, 3] }, ['replays']), minShards: 3 }),
  sync: (seed) => small(seed, { ...script('lock'), losesHeld: true }, ['replays']),
  union: (seed) => small(seed, {}, ['proposes-partial'])
}

/** Seeds that a situation is given; most show on the first. */
const SEEDS = 12

describe('a broken rule', () => {
  for (const [mutant, situation] of Object.entries(situations)) {
    it(`${mutant}: is seen, and the sound rules stand in the same runs`, function () {
      this.timeout(120_000)
      for (let seed = 1; seed <= SEEDS; seed++) {
        const scenario = situation(seed)
        assert.equal(runScenario(scenario).failure, undefined, `sound, seed ${seed}`)
        if (runScenario(scenario, mutant).failure !== undefined) return
      }
      assert.fail(`not seen in ${SEEDS} runs`)
    })
  }
})
