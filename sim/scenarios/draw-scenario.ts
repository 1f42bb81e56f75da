import { maximumFaulty, quorumSize } from '../../src/protocol/charter/quorum.ts'
import { SeededRandom } from '../support/seeded-random.ts'
import {
  type Act,
  BEHAVIOURS,
  type Behaviour,
  type Crash,
  type FaultyMember,
  type MembershipPlan,
  type Scenario,
  type Script,
  type Weather
} from './scenario.ts'

/** Number of rounds that a seed seals. */
const ROUNDS = 5
/** Trainers of a large consortium in a round: each additional one costs n² endorsements. */
const TRAINERS_OF_MANY = 5
/** Maximum number of members that forward to each other: each message costs n² deliveries. */
const GOSSIPING_MAX = 7
/** One seed in this many has real Ed25519 signatures, and a separate envelope check for each receiver. */
const REAL_EVERY = 25

/** Plans of the adversary, each of which needs the lock, the proof or the count of votes to be exactly right. */
const PLANS: readonly (readonly Act[])[] = [
  ['lock', 'break-fresh'],
  ['lock', 'break-without-polka'],
  ['hide-polka', 'lock', 'break-with-old-polka'],
  ['smuggle'],
  ['lock'],
  ['lock', 'starve'],
  ['hide-polka', 'starve', 'break-with-old-polka'],
  ['lock', 'break-fresh', 'break-without-polka'],
  ['starve', 'lock', 'smuggle', 'break-fresh'],
  ['half-lock', 'break-fresh'],
  ['half-lock', 'break-without-polka']
]

/** Behaviours that are drawn separately, or that only have an effect under certain charters. */
const APART: ReadonlySet<Behaviour> = new Set([
  'twin',
  'copied',
  'silent',
  'announces-nothing',
  'floods-uselessly',
  'trains-harm',
  'errs-early'
])

/** Views by which one member is left behind. */
const OUTRUN_VIEWS = 24
/**
 * Vote times that are long compared with their growth: a member that passes through every view is late, one that jumps
 * is not.
 */
const OUTRUN_TIMEOUTS = { proposeMs: 200, voteMs: 4_000, growthMs: 10 }
const OUTRUN_HEAL_MS = 400_000

/**
 * Draws a run from its seed: a quarter of them with ten members or more, one in fifty with forty.
 *
 * @param rounds minimum number of rounds to seal
 */
export function drawScenario(seed: number, rounds = ROUNDS): Scenario {
  const random = new SeededRandom(seed * 2_654_435_761)
  for (let skipped = 0; skipped < 4; skipped++) random.next()
  const members = drawMembers(random)
  const faulty = drawFaulty(members, random)
  const isOutrun = members >= 4 && members <= 7 && faulty.length > 0 && random.chance(0.04)
  const hasty = random.chance(0.3)
  // Slower than the first timeouts: only growing timeouts let a proposal through.
  const calm: [number, number] =
    !isOutrun && random.chance(0.08) ? [800, 1_200] : [5, random.between(20, 120)]
  const spare = drawSpare(members, faulty, rounds, random)
  const joins = drawJoins(members, random)
  const gossip = drawGossip(seed, members, faulty)
  const weather: Weather[] = []
  for (let round = 1; round <= ROUNDS; round++)
    weather.push(
      drawWeather(
        members,
        faulty,
        isOutrun && round === 1,
        spare.crash?.round === round ? spare.crash.crash : undefined,
        random
      )
    )
  return {
    seed,
    members,
    rounds,
    signatures: members <= 7 && seed % REAL_EVERY === 0 ? 'real' : 'ideal',
    minShards: random.chance(0.3) ? random.between(1, Math.max(1, Math.ceil(members / 2))) : 1,
    timeouts: {
      trainMs: 20_000,
      gatherMs: hasty ? 300 : 5_000,
      graceMs: hasty ? 100 : 500,
      ...(isOutrun ? OUTRUN_TIMEOUTS : { proposeMs: 500, voteMs: 300, growthMs: 200 })
    },
    weather,
    calmDelay: calm,
    clocks: Array.from({ length: members + 2 }, () =>
      !isOutrun && random.chance(0.3) ? 0.7 + 0.8 * random.next() : 1
    ),
    syncEveryMs: members > 20 ? 1_500 : members >= 10 ? 1_000 : 600,
    ...joins,
    ...spare.parts,
    ...gossip,
    faulty: drawMore(seed, gossip.faulty ?? faulty),
    changes: [...(joins.changes ?? []), ...(spare.parts.changes ?? [])]
  }
}

function drawMembers(random: SeededRandom): number {
  const draw = random.next()
  if (draw < 0.021) return 40
  if (draw < 0.26) return random.chance(0.7) ? 10 : random.between(11, random.chance(0.8) ? 13 : 20)
  if (draw < 0.6) return 4
  if (draw < 0.72) return 7
  if (draw < 0.84) return 6
  return random.between(1, 9)
}

/** Three quarters of the consortia of four and more have all f of their faulty members. */
function drawFaulty(members: number, random: SeededRandom): FaultyMember[] {
  const most = maximumFaulty(members)
  const count = random.chance(0.78) ? most : random.between(0, most)
  return drawSome(members, count, random).map((member) => ({ member, behaviours: drawBehaviours(random) }))
}

function drawBehaviours(random: SeededRandom): Behaviour[] {
  if (random.chance(0.2)) return ['twin']
  if (random.chance(0.1)) return ['silent']
  const among = BEHAVIOURS.filter((behaviour) => !APART.has(behaviour))
  return drawSome(among.length, random.between(1, 4), random).map((index) => among[index]!)
}

/**
 * In half of the small consortia members forward and judge each other, one honest member may be slow, and the faulty
 * ones may set it against the others. Drawn from a separate stream, so that the rest of a seed does not change.
 */
function drawGossip(seed: number, members: number, faulty: readonly FaultyMember[]): Partial<Scenario> {
  const random = new SeededRandom(seed * 40_503 + 1)
  for (let skipped = 0; skipped < 4; skipped++) random.next()
  if (members > GOSSIPING_MAX || !random.chance(0.5)) return {}
  const honest = Array.from({ length: members }, (_, index) => index).filter((index) =>
    faulty.every(({ member }) => member !== index)
  )
  const slow = random.chance(0.6)
    ? [{ member: honest[random.between(0, honest.length - 1)]!, buildMs: random.between(500, 3_000) }]
    : []
  const errs = random.chance(0.5)
  return {
    gossips: true,
    slow,
    faulty: faulty.map(({ member, behaviours }) =>
      errs && !behaviours.includes('silent')
        ? { member, behaviours: [...behaviours, 'errs-early' as const] }
        : { member, behaviours }
    )
  }
}

/**
 * Half of the twins are homes that were copied; some of the others announce nothing, or additionally flood. Drawn from
 * a separate stream, as above.
 */
function drawMore(seed: number, faulty: readonly FaultyMember[]): readonly FaultyMember[] {
  const random = new SeededRandom(seed * 65_537 + 1)
  for (let skipped = 0; skipped < 4; skipped++) random.next()
  return faulty.map(({ member, behaviours }) => {
    if (behaviours.includes('twin')) {
      const isCopied = random.chance(0.5)
      return { member, behaviours: behaviours.map((each) => (each === 'twin' && isCopied ? 'copied' : each)) }
    }
    if (behaviours.includes('silent')) return { member, behaviours }
    const more: Behaviour[] = []
    if (random.chance(0.1)) more.push('announces-nothing')
    if (random.chance(0.15)) more.push('floods-uselessly')
    return { member, behaviours: [...behaviours, ...more] }
  })
}

/** Sometimes one or two peers ask to join. */
function drawJoins(members: number, random: SeededRandom): Partial<Scenario> {
  if (members > 13 || !random.chance(0.2)) return {}
  const joiners = random.between(1, 2)
  const changes = Array.from({ length: joiners }, (_, index): MembershipPlan => {
    // Some are supported by too few members.
    const by = random.chance(0.2) ? { by: [0] } : {}
    return { round: random.between(1, 3), type: 'join', person: members + index, ...by }
  })
  return { joiners, changes }
}

/**
 * Events that temporarily remove an honest member, if a quorum remains: a member leaves, is evicted, is away and comes
 * back, loses its disk, or computes wrongly.
 */
function drawSpare(
  members: number,
  faulty: readonly FaultyMember[],
  rounds: number,
  random: SeededRandom
): { parts: Partial<Scenario>; crash?: { round: number; crash: Crash } } {
  const isSpare = members >= 3 && members - faulty.length - 1 >= quorumSize(members)
  if (!isSpare || !random.chance(0.6)) return { parts: {} }
  const honest = Array.from({ length: members }, (_, index) => index).filter((index) =>
    faulty.every(({ member }) => member !== index)
  )
  const member = honest[random.between(0, honest.length - 1)]!
  const round = random.between(1, 3)
  const canGo = maximumFaulty(members - 1) >= faulty.length
  switch (random.between(canGo ? 0 : 2, 4)) {
    case 0:
      return { parts: { changes: [{ round, type: 'leave', person: member }] } }
    case 1:
      return { parts: { changes: [{ round, type: 'evict', person: member }] } }
    case 2:
      return {
        parts: { absences: [{ member, from: round, until: Math.min(rounds, round + random.between(1, 3)) }] }
      }
    case 3: {
      const afterEffects = random.between(3, 30)
      const crash = { member, afterEffects, downMs: random.between(100, 2_000), losesLog: true }
      return { parts: {}, crash: { round: random.between(1, 4), crash } }
    }
    default:
      return { parts: { miscomputes: [{ member, round }] } }
  }
}

function drawSome(size: number, count: number, random: SeededRandom): number[] {
  const rest = Array.from({ length: size }, (_, index) => index)
  const drawn: number[] = []
  while (drawn.length < count && rest.length > 0)
    drawn.push(...rest.splice(random.between(0, rest.length - 1), 1))
  return drawn.sort((left, right) => left - right)
}

function drawWeather(
  members: number,
  faulty: readonly FaultyMember[],
  isOutrun: boolean,
  crash: Crash | undefined,
  random: SeededRandom
): Weather {
  const calm: Weather = {
    healMs: 60_000,
    delay: [5, random.chance(0.3) ? random.between(100, 900) : 60],
    loss: random.chance(0.5) ? 0 : 0.3 * random.next(),
    duplication: random.chance(0.5) ? 0 : 0.2,
    losesHeld: random.chance(0.5),
    crashes: crash !== undefined ? [crash] : random.chance(0.3) ? drawCrashes(members, faulty, random) : [],
    untrained: drawUntrained(members, random)
  }
  const kind = random.next()
  if (isOutrun || (kind < 0.5 && faulty.length > 0)) {
    const script = isOutrun
      ? { ...drawScript(random), acts: new Array<Act>(OUTRUN_VIEWS).fill('outrun') }
      : drawScript(random)
    const hidden = faulty.map(({ member }) => member)
    return {
      ...calm,
      delay: [5, 60],
      loss: 0,
      script,
      healMs: isOutrun ? OUTRUN_HEAL_MS : 120_000,
      untrained: calm.untrained.filter((member) => !hidden.includes(member))
    }
  }
  if (kind < 0.65) {
    const partition = Array.from({ length: members }, () => random.between(0, 1))
    return { ...calm, partition, healMs: random.between(5_000, 60_000) }
  }
  if (kind < 0.75)
    return { ...calm, partitionByView: random.between(0, 1e9), healMs: random.between(5_000, 60_000) }
  return { ...calm, healMs: random.between(2_000, 60_000) }
}

function drawScript(random: SeededRandom): Script {
  const acts = PLANS[random.between(0, PLANS.length - 1)]!
  return {
    acts,
    afterwards: random.chance(0.6) ? 'silent' : 'loyal',
    draw: random.between(0, 1e9)
  }
}

function drawCrashes(members: number, faulty: readonly FaultyMember[], random: SeededRandom): Crash[] {
  const honest = Array.from({ length: members }, (_, index) => index).filter((index) =>
    faulty.every(({ member }) => member !== index)
  )
  return drawSome(honest.length, random.between(1, 3), random).map((index) => ({
    member: honest[index]!,
    afterEffects: random.between(1, 30),
    downMs: random.between(100, 20_000),
    losesLog: false
  }))
}

function drawUntrained(members: number, random: SeededRandom): number[] {
  if (members >= 10 && !random.chance(members > 20 ? 0.01 : 0.1))
    return drawSome(members, members - TRAINERS_OF_MANY, random)
  return random.chance(0.3) ? drawSome(members, random.between(0, members), random) : []
}
