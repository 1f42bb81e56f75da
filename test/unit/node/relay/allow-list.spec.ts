import assert from 'node:assert/strict'
import { open, rm, writeFile } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { generateKeyPair } from '@libp2p/crypto/keys'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import type { Home } from '../../../../src/node/home/home.ts'
import { AllowList } from '../../../../src/node/relay/allow-list.ts'
import { memoryLog } from '../memory-log.ts'
import { temporaryHome } from '../temporary-home.ts'

const LOOK_MS = 30

describe('the allow list of a relay', () => {
  let home: Home
  let remove: () => Promise<void>
  let watched: AllowList | undefined
  beforeEach(async () => {
    ;({ home, remove } = await temporaryHome())
  })
  afterEach(async () => {
    watched?.stop()
    await remove()
  })

  const somebody = async () => peerIdFromPrivateKey(await generateKeyPair('Ed25519')).toString()

  it('admits a fixed set, and the peers in its file', async () => {
    const [founder, listed, other] = [await somebody(), await somebody(), await somebody()]
    await writeFile(home.allowed, `# who joined\n${listed}  # in spring\n\n`)
    const admitted = new AllowList(home.allowed, [founder], memoryLog())
    await admitted.read()
    assert(admitted.has(founder) && admitted.has(listed) && !admitted.has(other))
    assert.equal(admitted.size, 2)
    await writeFile(home.allowed, `${other}\nnobody\n`)
    await assert.rejects(admitted.read(), /line 2: nobody is not a PeerId/)
    assert(admitted.has(listed), 'a listed peer stays admitted')
    await rm(home.allowed)
    await admitted.read()
    assert(admitted.has(founder) && !admitted.has(listed))
  })

  it('is unchanged while the file is being written in place', async () => {
    const [first, second] = [await somebody(), await somebody()]
    await writeFile(home.allowed, `${first}\n`)
    watched = new AllowList(home.allowed, [], memoryLog())
    await watched.read()
    const seen: boolean[][] = []
    watched.watch(() => seen.push([watched!.has(first), watched!.has(second)]), LOOK_MS)
    await delay(3 * LOOK_MS)
    const file = await open(home.allowed, 'w')
    await delay(3 * LOOK_MS)
    await file.write(`${first}\n`)
    await delay(3 * LOOK_MS)
    await file.write(`${second}\n`)
    await file.close()
    const deadline = performance.now() + 10_000
    while (!watched.has(second) && performance.now() < deadline) await delay(20)
    assert(seen.length > 0)
    for (const each of seen) assert.deepEqual(each, [true, true])
  })
})
