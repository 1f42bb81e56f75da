import assert from 'node:assert/strict'
import { readFile, rm, writeFile } from 'node:fs/promises'
import type { Home } from '../../../../../src/node/home/home.ts'
import { AddressKeeper, loadAddresses } from '../../../../../src/node/network/peers/known-addresses.ts'
import { memoryLog } from '../../memory-log.ts'
import { temporaryHome } from '../../temporary-home.ts'

describe('known addresses', () => {
  let home: Home
  let remove: () => Promise<void>
  const log = memoryLog()

  beforeEach(async () => {
    ;({ home, remove } = await temporaryHome())
  })
  afterEach(() => remove())

  it('are saved while the peer runs, each once, and only on change', async () => {
    let known = ['/ip4/1.2.3.4/tcp/1', '/ip4/1.2.3.4/tcp/2', '/ip4/1.2.3.4/tcp/1']
    const keeper = new AddressKeeper(home, () => known, log)
    await keeper.save()
    assert.deepEqual(await loadAddresses(home, log), ['/ip4/1.2.3.4/tcp/1', '/ip4/1.2.3.4/tcp/2'])
    await rm(home.addresses)
    known = known.toReversed()
    await keeper.save()
    assert.deepEqual(await loadAddresses(home, log), [])
    known = ['/ip4/1.2.3.4/tcp/3']
    await keeper.stop()
    assert.deepEqual(await loadAddresses(home, log), known)
  })

  it('survive a start at which no peer was met', async () => {
    await writeFile(home.addresses, '["/ip4/1.2.3.4/tcp/1"]')
    await new AddressKeeper(home, () => [], log).stop()
    assert.deepEqual(await loadAddresses(home, log), ['/ip4/1.2.3.4/tcp/1'])
  })

  it('are hints: an unwritable disk or a damaged file does not stop the peer', async () => {
    const nowhere = { ...home, addresses: `${home.folder}/missing/addresses.json` }
    await new AddressKeeper(nowhere, () => ['/ip4/1.2.3.4/tcp/1'], log).save()
    assert.match(log.messages.at(-1)!, /cannot be written/)
    for (const text of ['{', '{}', '[1]']) {
      await writeFile(home.addresses, text)
      assert.deepEqual(await loadAddresses(home, log), [])
      assert.equal(await readFile(`${home.addresses}.damaged`, 'utf8'), text)
    }
  })
})
