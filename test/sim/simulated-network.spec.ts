import assert from 'node:assert/strict'
import { type Scenario, SimulatedNetwork } from './simulated-network.ts'

/** Seeds a scenario; CI keeps it short, `LOAM_SIM_SEEDS` makes it long. */
const SEEDS = Number(process.env.LOAM_SIM_SEEDS ?? 4)

const calm: Scenario = { members: 4, seed: 0, rounds: 4, delay: [5, 60], loss: 0 }

const scenarios: Record<string, Scenario> = {
  'one member alone': { ...calm, members: 1 },
  'two members': { ...calm, members: 2 },
  'four members, nothing goes wrong': calm,
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
    twins: 2,
    silent: 1,
    loss: 0.1,
    delay: [5, 300]
  }
}

describe('a simulated consortium', () => {
  for (const [name, scenario] of Object.entries(scenarios)) {
    it(`${name}: every honest member seals the same rounds`, function () {
      this.timeout(600_000)
      for (let seed = 1; seed <= SEEDS; seed++) {
        const network = new SimulatedNetwork({ ...scenario, seed })
        const sealedAll = network.run()
        assert.deepEqual(network.violations, [], `seed ${seed}`)
        assert.ok(sealedAll, `seed ${seed}: no seal after an hour of virtual time`)
      }
    })
  }
})
