import assert from 'node:assert/strict'
import { type Scenario, SimulatedNetwork } from './simulated-network.ts'

/** Seeds a scenario; CI keeps it short, `LOAM_SIM_SEEDS` makes it long. */
const SEEDS = Number(process.env.LOAM_SIM_SEEDS ?? 3)

const calm: Scenario = { members: 4, seed: 0, rounds: 4, delay: [5, 60], loss: 0 }

/** Nobody is faulty, and messages arrive within the timeouts: everybody's work is stacked in every round. */
const fine: Record<string, Scenario> = {
  'one member alone': { ...calm, members: 1 },
  'two members': { ...calm, members: 2 },
  'four members, nothing goes wrong': calm,
  'seven members, nothing goes wrong': { ...calm, members: 7 }
}

const troubled: Record<string, Scenario> = {
  'four members, a fifth of all messages lost': { ...calm, loss: 0.2 },
  'seven members, long and uneven delays': { ...calm, members: 7, delay: [5, 900], loss: 0.1 },
  'four members, one silent': { ...calm, silent: 1, loss: 0.05 },
  'four members, one crashes in every round and comes back': { ...calm, crashes: 1, loss: 0.05 },
  'seven members, two crash in every round': { ...calm, members: 7, crashes: 2, loss: 0.1 },
  'four members, every one crashes and comes back': { ...calm, crashes: 4 },
  'four members, in two halves for a minute': { ...calm, partedUntil: 60_000 },
  'seven members, parted for a minute, one of them twice': {
    ...calm,
    members: 7,
    twins: 1,
    partedUntil: 60_000
  },
  'four members, one of them twice': { ...calm, twins: 1, loss: 0.1 },
  'ten members, two twice and one silent': {
    ...calm,
    members: 10,
    rounds: 3,
    twins: 2,
    silent: 1,
    loss: 0.1,
    delay: [5, 300]
  },
  'four members, one endorses what it never fetched': { ...calm, withholders: 1, loss: 0.05 },
  'seven members, one withholds and one lies': { ...calm, members: 7, liars: 1, withholders: 1, loss: 0.1 },
  'four members, one lies': { ...calm, liars: 1, loss: 0.05 },
  'four members who gather in haste, one lies': {
    ...calm,
    liars: 1,
    rounds: 8,
    delay: [5, 400],
    timeouts: { gatherMs: 50, graceMs: 50 }
  },
  'four members, one lies and one of the others crashes in every round': {
    ...calm,
    liars: 1,
    crashes: 1,
    loss: 0.05
  }
}

function run(scenario: Scenario, seed: number): SimulatedNetwork {
  const network = new SimulatedNetwork({ ...scenario, seed })
  const sealedAll = network.run()
  assert.deepEqual(network.violations, [], `seed ${seed}`)
  assert.ok(sealedAll, `seed ${seed}: no seal after an hour of virtual time`)
  return network
}

describe('a simulated consortium', () => {
  for (const [name, scenario] of Object.entries(fine)) {
    it(`${name}: every member seals the same rounds, each with everybody's work`, function () {
      this.timeout(600_000)
      for (let seed = 1; seed <= SEEDS; seed++) {
        for (const { sealed } of run(scenario, seed).copies) {
          for (const { cut } of sealed.values()) assert.equal(cut.entries.length, scenario.members)
        }
      }
    })
  }

  for (const [name, scenario] of Object.entries(troubled)) {
    it(`${name}: every honest member seals the same rounds`, function () {
      this.timeout(600_000)
      for (let seed = 1; seed <= SEEDS; seed++) run(scenario, seed)
    })
  }
})
