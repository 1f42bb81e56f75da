import assert from 'node:assert/strict'
import { appendFile, mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Home } from '../../../../src/node/home/home.ts'
import { loadIdentity, loadOrCreateIdentity, memberCard } from '../../../../src/node/home/identity.ts'
import { PeerError } from '../../../../src/node/storage/peer-error.ts'
import { temporaryHome } from '../temporary-home.ts'

describe('an identity', () => {
  let home: Home
  let remove: () => Promise<void>

  beforeEach(async () => {
    ;({ home, remove } = await temporaryHome())
  })
  afterEach(() => remove())

  it('is created once, readable by its owner only, and never changes', async () => {
    assert.equal(await loadIdentity(home.identity), undefined)
    const made = await loadOrCreateIdentity(home.identity)
    if (process.platform !== 'win32') assert.equal((await stat(home.identity)).mode & 0o777, 0o600)
    const again = await loadOrCreateIdentity(home.identity)
    assert.equal(again.peerId, made.peerId)
    assert.deepEqual(memberCard(again), memberCard(made))
    assert.deepEqual(
      (await readdir(home.folder)).filter((name) => name.startsWith('identity')),
      ['identity.json']
    )
  })

  it('is not recreated in a home that a peer has used: the error says what to restore', async () => {
    await loadOrCreateIdentity(home.identity)
    await rm(home.identity)
    await loadOrCreateIdentity(home.identity)
    await rm(home.identity)
    await appendFile(home.writeAheadLog, 'a record')
    await assert.rejects(loadOrCreateIdentity(home.identity), (error: Error) => {
      assert(error instanceof PeerError)
      assert.match(error.message, /key of this home is missing.*votes\.wal.*Restore that file from a backup/)
      return true
    })
    await rm(home.writeAheadLog)
    await mkdir(join(home.rounds, '1'), { recursive: true })
    await assert.rejects(loadOrCreateIdentity(home.identity), /holds 1 round\(s\)/)
    assert.equal(await loadIdentity(home.identity), undefined, 'nothing was made')
  })

  it('is the same when two processes create it at the same time', async () => {
    const made = await Promise.all(Array.from({ length: 3 }, () => loadOrCreateIdentity(home.identity)))
    assert.equal(new Set(made.map(({ peerId }) => peerId)).size, 1)
  })

  it('exports no secret in its card', async () => {
    const identity = await loadOrCreateIdentity(home.identity)
    const { ed25519Seed } = JSON.parse(await readFile(home.identity, 'utf8'))
    const card = JSON.stringify(memberCard(identity))
    assert(!card.includes(ed25519Seed) && !card.includes(Buffer.from(ed25519Seed, 'base64').toString('hex')))
  })

  for (const [what, text] of [
    ['an empty file', ''],
    ['garbage', '\0\xff{'],
    ['another version', '{"version":2,"ed25519Seed":"AAAA"}'],
    ['a short seed', '{"version":1,"ed25519Seed":"AAAA"}'],
    ['another field', '{"version":1,"seed":"AAAA"}']
  ] as const) {
    it(`is refused, and never overwritten, when its file holds ${what}`, async () => {
      await writeFile(home.identity, text)
      await assert.rejects(loadOrCreateIdentity(home.identity), (error: Error) => {
        assert(error instanceof PeerError)
        assert.match(
          error.message,
          /identity\.json is not an identity file \([^[\]]{10,}\): restore it from a backup/
        )
        return true
      })
      assert.equal(await readFile(home.identity, 'utf8'), text)
    })
  }
})
