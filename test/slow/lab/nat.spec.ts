import assert from 'node:assert/strict'
import { natObstacle } from '../../../lab/nat/lab.ts'
import { type NatVariant, runVariant } from '../../../lab/nat/variants.ts'

describe('two members behind NATs that accept no connections', function () {
  this.timeout(300_000)

  before(async function () {
    const obstacle = await natObstacle()
    if (obstacle === undefined) return
    process.stderr.write(`SKIPPED, which counts as not shown: members behind routers: ${obstacle}\n`)
    this.skip()
  })

  it('vote and fetch all blocks, through a relay or a public member, and doctor says which', async () => {
    const lines: string[] = []
    const run = (variant: NatVariant) =>
      runVariant(variant, { rounds: 1, timeoutMs: 240_000, onProgress: (line) => void lines.push(line) })
    const [relay, member] = await Promise.all([run('relay'), run('member')])
    for (const result of [relay, member]) {
      assert(result.ok, `${JSON.stringify(result)}\n${lines.join('\n')}`)
      assert.equal(result.routersLetIn, false)
      const { source, observed } = result.doctor.network
      assert.equal(source, 'daemon')
      assert(observed.length > 0 && observed.every(({ isOwn }) => !isOwn), 'a router is seen')
    }
    assert.equal(relay.doctor.network.reservations.length, 1)
    assert.deepEqual(relay.doctor.actions, [], 'with a place at a relay there is nothing to do')
    assert.equal(member.doctor.network.reservations.length, 0)
    const [action] = member.doctor.actions
    assert.match(action!, /behind a router: others see it at 5\.9\.0\.\d+.*Open TCP port 4001.*loam relay/)
  })
})
