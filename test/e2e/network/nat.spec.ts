import assert from 'node:assert/strict'
import { natObstacle } from '../../../scripts/nat/lab.ts'
import { type NatVariant, runVariant } from '../../../scripts/nat/variants.ts'

describe('two members behind routers that let nothing in', function () {
  this.timeout(300_000)

  before(async function () {
    const obstacle = await natObstacle()
    if (obstacle === undefined) return
    process.stderr.write(`SKIPPED, which counts as not shown: members behind routers: ${obstacle}\n`)
    this.skip()
  })

  it('vote and get all blocks, through a relay or through a public member', async () => {
    const lines: string[] = []
    const run = (variant: NatVariant) =>
      runVariant(variant, { rounds: 1, timeoutMs: 240_000, onProgress: (line) => void lines.push(line) })
    for (const result of await Promise.all([run('relay'), run('member')])) {
      assert(result.ok, `${JSON.stringify(result)}\n${lines.join('\n')}`)
      assert.equal(result.routersLetIn, false)
    }
  })
})
