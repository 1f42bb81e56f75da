import { drawScenario } from './draw-scenario.ts'
import {
  type Act,
  type Behaviour,
  CALM,
  type MembershipPlan,
  type Scenario,
  type Weather
} from './scenario.ts'

const TIMEOUTS = {
  trainMs: 20_000,
  gatherMs: 5_000,
  graceMs: 500,
  proposeMs: 500,
  voteMs: 300,
  growthMs: 200
}

/** Four members, one of them faulty, for one round; the seed determines the proposers. */
function small(seed: number, weather: Partial<Weather>, behaviours: readonly Behaviour[]): Scenario {
  return {
    ...drawScenario(1),
    joiners: 0,
    changes: [],
    absences: [],
    miscomputes: [],
    signatures: 'ideal',
    timeouts: TIMEOUTS,
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

/** Situations that expose mutants, as scenarios; no scenario knows of any mutant. */
export const situations: Record<string, (seed: number) => Scenario> = {
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
  union: (seed) => small(seed, {}, ['proposes-partial']),
  jump: (seed) => ({
    ...small(seed, { ...script(...new Array<Act>(24).fill('outrun')), healMs: 400_000 }, ['replays']),
    timeouts: { ...TIMEOUTS, proposeMs: 200, voteMs: 4_000, growthMs: 10 }
  }),
  timeout: (seed) => ({
    ...small(seed, { delay: [800, 1_200], healMs: 1_000 }, ['silent']),
    calmDelay: [800, 1_200]
  }),
  proposer: (seed) => small(seed, {}, ['silent']),
  'gone-proposer': (seed) => ({ ...small(seed, {}, ['silent']), rounds: 12 }),
  'gone-view': (seed) => ({ ...small(seed, {}, ['silent']), rounds: 12 }),
  'ready-count': (seed) => small(seed, {}, ['proposes-few']),
  ids: (seed) => small(seed, {}, ['replays']),
  'attest-digests': (seed) => small(seed, {}, ['attests-false-digests']),
  'endorse-once': (seed) => small(seed, {}, ['equivocates-manifest']),
  'endorse-held': (seed) => small(seed, {}, ['trains-nonsense']),
  'held-out': (seed) => ({
    ...small(seed, {}, ['trains-harm']),
    charter: { heldOutVeto: { margin: 0.5 } }
  }),
  bounds: (seed) => small(seed, script('starve', 'starve', 'starve'), ['floods']),
  early: (seed) => small(seed, { healMs: 60_000 }, ['floods']),
  blame: (seed) => ({
    ...small(seed, {}, ['errs-early']),
    rounds: 4,
    gossips: true,
    slow: [{ member: 3, buildMs: 3_000 }]
  }),
  reveal: (seed) => small(seed, {}, ['reveals-wrongly']),
  samples: (seed) => small(seed, {}, ['claims-samples']),
  'speak-once': (seed) => small(seed, { healMs: 20_000, partition: [0, 0, 1, 1] }, ['equivocates-ready']),
  repeat: (seed) => small(seed, script('half-lock', 'break-fresh'), ['replays']),
  evidence: (seed) => ({ ...small(seed, {}, ['equivocates-manifest', 'equivocates-ready']), rounds: 3 }),
  admit: (seed) => ({ ...small(seed, {}, ['replays']), ...joining([0]), rounds: 3 }),
  joins: (seed) => ({ ...small(seed, {}, ['replays']), ...joining(undefined), rounds: 3 }),
  spent: (seed) => ({
    ...small(seed, {}, ['replays-changes']),
    ...comingAndGoing,
    rounds: 8
  }),
  'catch-up': (seed) => small(seed, { delay: [200, 900], healMs: 20_000, loss: 0.5 }, ['gives-false-rounds']),
  persist: (seed) => crashing(seed, false),
  'own-word': (seed) => ({ ...small(seed, {}, ['copied']), rounds: 5 }),
  listen: (seed) => ({ ...small(seed, {}, ['copied']), rounds: 6 }),
  'lost-log': (seed) => crashing(seed, true),
  'vote-time': (seed) => {
    const slow = { ...CALM, delay: [300, 900] } as const
    return { ...small(seed, {}, ['silent']), rounds: 3, weather: [slow, { ...CALM, healMs: 1_000 }] }
  },
  'gather-time': (seed) => small(seed, { untrained: [0], healMs: 1_000 }, ['silent']),
  body: (seed) => ({
    ...small(seed, { delay: [5, 1_200], loss: 0.4, healMs: 60_000 }, []),
    faulty: []
  }),
  retain: (seed) => ({
    ...small(seed, {}, []),
    faulty: [],
    rounds: 5,
    absences: [{ member: 3, from: 1, until: 4 }]
  }),
  rebuild: (seed) => ({
    ...small(seed, {}, []),
    faulty: [],
    miscomputes: [{ member: 2, round: 1 }],
    rounds: 2
  })
}

/** Two peers ask to join at once; all members request it, or only these. */
function joining(by: readonly number[] | undefined): Partial<Scenario> {
  const plan = (person: number): MembershipPlan => ({ round: 1, type: 'join', person, ...(by && { by }) })
  return { joiners: 2, changes: [plan(4), plan(5)] }
}

/** One joins and leaves again. */
const comingAndGoing: Partial<Scenario> = {
  joiners: 1,
  changes: [
    { round: 1, type: 'join', person: 4 },
    { round: 3, type: 'leave', person: 4 }
  ]
}

/** A member stops somewhere in the round, and restarts with or without its log. */
function crashing(seed: number, losesLog: boolean): Scenario {
  const crashes = [{ member: 2, afterEffects: 4 + 3 * seed, downMs: 200, losesLog }]
  return { ...small(seed, { crashes, delay: [5, 900], healMs: 30_000 }, []), faulty: [] }
}

/** Maximum number of seeds tried for a situation; most mutants show on the first. */
export const SITUATION_SEEDS = 48
