import assert from 'node:assert/strict'
import { type FileHandle, open, readFile, writeFile } from 'node:fs/promises'
import type { Home } from '../../../../src/node/home/home.ts'
import { openMessageLog } from '../../../../src/node/home/message-log.ts'
import { openWriteAheadLog } from '../../../../src/node/storage/index.ts'
import { genesisContext, type LogRecord, UNKNOWN_ROUND } from '../../../../src/protocol/index.ts'
import { signMessage } from '../../../../src/protocol/messages/message.ts'
import { oneMember } from '../one-member.ts'
import { temporaryHome } from '../temporary-home.ts'

describe('the message log', () => {
  let home: Home
  let remove: () => Promise<void>
  let signed: (round: number) => LogRecord

  beforeEach(async () => {
    ;({ home, remove } = await temporaryHome())
    const { charter, identity } = await oneMember(home)
    const context = genesisContext(charter)
    signed = (round) => {
      const body = { certified: new Uint8Array(1) }
      const { bytes } = signMessage({ ...context, round }, identity.signer, 'ready', 0, body)
      return { type: 'signed', envelope: bytes }
    }
  })
  afterEach(() => remove())

  it('returns what was appended, and forgets the rounds before one', async () => {
    const log = await openMessageLog(home.writeAheadLog)
    assert.deepEqual([log.records, log.tornBytes], [[], 0])
    for (const round of [1, 2, 3]) await log.append(signed(round))
    await log.forgetBefore(2)
    await log.close()
    const again = await openMessageLog(home.writeAheadLog)
    assert.deepEqual(again.records, [signed(2), signed(3)])
    await again.close()
  })

  it('of an identity with a lost log records its silence first, and until it is over', async () => {
    const log = await openMessageLog(home.writeAheadLog, true)
    assert.deepEqual(log.records, [{ type: 'silent', through: UNKNOWN_ROUND }])
    await log.append({ type: 'silent', through: 7 })
    await log.forgetBefore(7)
    await log.close()
    const again = await openMessageLog(home.writeAheadLog)
    assert.deepEqual(again.records.at(-1), { type: 'silent', through: 7 })
    await again.forgetBefore(8)
    await again.close()
    const whole = await openMessageLog(home.writeAheadLog)
    assert.deepEqual(whole.records, [], 'otherwise every later start would be silent again')
    await whole.close()
  })

  it('refuses an invalid record, says what to do, and closes the file', async () => {
    const log = await openWriteAheadLog(home.writeAheadLog)
    await log.append(Buffer.from('no record'))
    await log.close()
    let file: FileHandle | undefined
    const opening = openMessageLog(home.writeAheadLog, false, async (path, flags) => {
      file = await open(path, flags)
      return file
    })
    await assert.rejects(opening, /contains an invalid record .*move the file away/)
    assert.equal(file?.fd, -1)
  })

  it('reports the size of a truncated record', async () => {
    const log = await openMessageLog(home.writeAheadLog)
    await log.append(signed(1))
    await log.append(signed(2))
    await log.close()
    const bytes = await readFile(home.writeAheadLog)
    await writeFile(home.writeAheadLog, bytes.subarray(0, -5))
    const again = await openMessageLog(home.writeAheadLog)
    assert.deepEqual(again.records, [signed(1)])
    assert(again.tornBytes > 0)
    await again.close()
  })
})
