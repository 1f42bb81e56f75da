import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { type FileHandle, mkdir, open } from 'node:fs/promises'
import { dirname } from 'node:path'
import { RoundDriver } from '../../../../src/node/driver/round-driver.ts'
import type { Home } from '../../../../src/node/home/home.ts'
import { openMessageLog } from '../../../../src/node/home/message-log.ts'
import { decodeEnvelope, hex } from '../../../../src/protocol/index.ts'
import { memoryLog } from '../memory-log.ts'
import { type OneMember, oneMember } from '../one-member.ts'
import { temporaryHome } from '../temporary-home.ts'
import { soloComponents } from './solo-driver.ts'

/** Errors of a full disk. */
const noSpace = () => Object.assign(new Error('ENOSPC: no space left on device'), { code: 'ENOSPC' })
const turn = () => new Promise((resolve) => setImmediate(resolve))
/** The messages of a member of a consortium of one in a round: each is a separate append. */
const WORDS = ['manifest', 'endorsement', 'ready', 'proposal', 'prevote', 'precommit', 'attestation']

/** What a builder reports for the round. */
const BUILT = {
  type: 'built',
  finite: true,
  stack: 'ab'.repeat(32),
  model: 'cd'.repeat(32),
  modelFile: { path: 'nowhere', bytes: 0, list: new Uint8Array() },
  medianNorms: {},
  leftOut: []
} as const

/** A disk with space for some frames, which then writes half of one and refuses until there is space again. */
class SmallDisk {
  /** Frames that fit; the next one is half written. */
  room: number
  frames = 0
  refused = 0

  constructor(room: number) {
    this.room = room
  }

  readonly open = async (path: string, flags: string): Promise<FileHandle> => {
    const file = await open(path, flags)
    const write = async (buffer: Uint8Array, offset: number, length: number, position: number) => {
      if (this.frames < this.room) {
        this.frames++
        return file.write(buffer, offset, length, position)
      }
      this.refused++
      await file.write(buffer, offset, Math.floor(length / 2), position)
      throw noSpace()
    }
    return new Proxy(file, {
      get: (target, key) => {
        if (key === 'write') return write
        const value = Reflect.get(target, key)
        return typeof value === 'function' ? value.bind(target) : value
      }
    })
  }
}

describe('a full disk under the log', () => {
  let home: Home
  let remove: () => Promise<void>
  let member: OneMember
  /** What was sent in all runs, by its place, with the id of what was said there. */
  let said: Map<string, string>

  beforeEach(async () => {
    ;({ home, remove } = await temporaryHome())
    member = await oneMember(home)
    said = new Map()
  })
  afterEach(() => remove())

  /** Starts the peer on a disk; everything it sends has to be in the file by then. */
  const start = async (disk: SmallDisk) => {
    const log = memoryLog()
    const messageLog = await openMessageLog(home.writeAheadLog, false, disk.open)
    const onSent = (bytes: Uint8Array) => {
      const { kind, header } = decodeEnvelope(bytes)
      const place = `${header.round} ${kind}/${header.slot}`
      assert(readFileSync(home.writeAheadLog).includes(Buffer.from(bytes)), `${place} is not on the disk`)
      assert.equal(said.get(place) ?? hex(bytes), hex(bytes), `two things were said in ${place}`)
      said.set(place, hex(bytes))
    }
    const solo = await soloComponents({ home, member, messageLog, log, onSent })
    let isSealed = false
    const driver = new RoundDriver(
      {
        ...solo,
        exchange: { ...solo.exchange, fetchAll: async () => {} },
        builder: {
          ...solo.builder,
          build: async (job) => {
            await mkdir(dirname(job.modelPath), { recursive: true })
            return BUILT
          }
        },
        report: ({ type }) => {
          isSealed ||= type === 'sealed'
        }
      },
      { diskMs: 1, workMs: 1 }
    )
    driver.start()
    return {
      refusals: () => log.messages.filter((line) => line.startsWith('the log cannot be written')),
      recoveries: () => log.messages.filter((line) => line.startsWith('writes to the disk succeed again')),
      untilRefused: async () => {
        while (disk.refused < 3) await turn()
      },
      untilSealed: async () => {
        while (!isSealed) await turn()
      },
      end: async () => {
        await driver.stop()
        await messageLog.close()
      }
    }
  }
  /** Kinds of what was said in the first round, in that order. */
  const words = () =>
    [...said.keys()].flatMap((place) => (place.startsWith('1 ') ? place.slice(2, place.indexOf('/')) : []))

  it('can refuse any append of a round', async () => {
    const disk = new SmallDisk(Number.POSITIVE_INFINITY)
    const peer = await start(disk)
    await peer.untilSealed()
    await peer.end()
    assert.deepEqual(words(), WORDS)
    // The eighth append is the cut that became valid.
    assert(disk.frames >= WORDS.length + 1)
  })

  for (let room = 0; room <= WORDS.length; room++) {
    it(`after ${room} appends: sends nothing until there is space, logs one error, and continues the round`, async () => {
      const disk = new SmallDisk(room)
      const peer = await start(disk)
      await peer.untilRefused()
      const before = words()
      assert(before.length <= room)
      assert.equal(peer.refusals().length, 1)
      assert.match(peer.refusals()[0]!, /the disk is full: free some space/)
      disk.room = Number.POSITIVE_INFINITY
      await peer.untilSealed()
      await peer.end()
      assert.deepEqual(words(), WORDS)
      assert.deepEqual(words().slice(0, before.length), before)
      assert.equal(peer.recoveries().length, 1)
    })

    it(`after ${room} appends: leaves no partial record on restart, contradicts nothing, and continues`, async () => {
      const disk = new SmallDisk(room)
      const first = await start(disk)
      await first.untilRefused()
      await first.end()
      const again = await openMessageLog(home.writeAheadLog)
      assert.deepEqual([again.records.length, again.tornBytes], [room, 0])
      await again.close()
      const second = await start(new SmallDisk(Number.POSITIVE_INFINITY))
      await second.untilSealed()
      await second.end()
      assert.deepEqual(new Set(words()), new Set(WORDS))
    })
  }
})
