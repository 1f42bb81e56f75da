import assert from 'node:assert/strict'
import { existsSync, readdirSync } from 'node:fs'
import { open, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { sha256Hex } from '../../../../src/formats/index.ts'
import { readCharter } from '../../../../src/node/home/charter-file.ts'
import { type Home, roundFiles } from '../../../../src/node/home/home.ts'
import { readSealedRounds } from '../../../../src/node/home/round-store.ts'
import { hex } from '../../../../src/protocol/index.ts'
import { agree, type PeerNetwork } from '../peer-network.ts'

const EVERYBODY = [0, 1, 2, 3]
/** Whose blocks are damaged, and whose model. */
const BLOCKS = 2
const MODEL = 1

/** Changes one bit of a file in place, as a failing disk does. */
async function flipBit(path: string): Promise<void> {
  const file = await open(path, 'r+')
  try {
    const { size } = await file.stat()
    const byte = Buffer.alloc(1)
    // The last float's exponent: a change that no sum rounds away.
    await file.read(byte, 0, 1, size - 1)
    byte[0]! ^= 1
    await file.write(byte, 0, 1, size - 1)
  } finally {
    await file.close()
  }
}

/** The newest sealed round of a home that has a file, and that file. */
function newest(
  home: Home,
  name: 'stack' | 'model' | 'residual'
): { round: number; path: string } | undefined {
  const rounds = readdirSync(home.rounds).map(Number)
  // A peer that was killed may have built a round that it had not sealed yet.
  const has = (files: ReturnType<typeof roundFiles>) => existsSync(files.sealed) && existsSync(files[name])
  const round = Math.max(0, ...rounds.filter((each) => has(roundFiles(home, each))))
  return round === 0 ? undefined : { round, path: roundFiles(home, round)[name] }
}

/** Damages files of members. */
export function damagedFiles(network: () => PeerNetwork): void {
  describe('a peer with damaged files', () => {
    it('fetches damaged blocks of a stack again, rebuilds the round and agrees', async () => {
      const { peers } = network().prepared
      const { home } = peers[BLOCKS]!
      await network().until(() => network().watches[BLOCKS]!.sealed.some(({ cut }) => cut.length > 1))
      await network().kill(BLOCKS)
      assert(
        peers.some((peer) => newest(peer.home, 'residual') !== undefined),
        'nobody makes up for the rounding'
      )
      const { round, path } = newest(home, 'stack')!
      const stack = await readFile(path)
      const rounds = await readSealedRounds(home, await readCharter(home.charter))
      const { sealedRound } = rounds.find(({ context }) => context.round === round)!
      const blocks = sealedRound.manifests.flatMap(({ body }) =>
        body.shards.flatMap((shard) => shard.blocks.map(hex))
      )
      assert(blocks.length > 0)
      for (const name of blocks) {
        const bytes = await readFile(join(home.blocks, name))
        bytes[7]! ^= 1
        await writeFile(join(home.blocks, name), bytes)
      }
      // Without the sealed round it has to stack it again, from blocks that are all damaged.
      for (const each of readdirSync(home.rounds).map(Number))
        if (each >= round) await rm(roundFiles(home, each).folder, { recursive: true })

      await network().startAlone(BLOCKS)
      const reached = Math.max(...EVERYBODY.map((index) => network().lastSealed(index))) + 1
      await network().untilSealed(reached, ...EVERYBODY)
      assert.deepEqual(await readFile(path), stack)
      for (const name of blocks) assert.equal(sha256Hex(await readFile(join(home.blocks, name))), name)
      assert(agree(network().watches))
    })

    it('recomputes the norms of a round from a damaged file', async () => {
      const { home } = network().prepared.peers[BLOCKS]!
      await network().kill(BLOCKS)
      // A round that was built but not sealed yet is built again.
      const sealed = readdirSync(home.rounds)
        .map((round) => roundFiles(home, Number(round)))
        .filter((files) => existsSync(files.sealed) && existsSync(files.norms))
        .sort((left, right) => left.folder.localeCompare(right.folder, 'en', { numeric: true }))
      const path = sealed.at(-1)!.norms
      const norms = await readFile(path, 'utf8')
      await writeFile(path, norms.slice(0, 9))
      await network().startAlone(BLOCKS)
      assert.deepEqual(JSON.parse(await readFile(path, 'utf8')), JSON.parse(norms))
      assert.equal(await readFile(`${path}.damaged`, 'utf8'), norms.slice(0, 9))
      const reached = Math.max(...EVERYBODY.map((index) => network().lastSealed(index))) + 1
      await network().untilSealed(reached, ...EVERYBODY)
      assert(agree(network().watches))
    })

    it('votes on while its model is damaged, fetches the sealed one, and is in a later cut', async () => {
      const { home, peerId } = network().prepared.peers[MODEL]!
      const { sealed } = network().watches[MODEL]!
      const diverged = /"round":(\d+),"built":"[0-9a-f]{64}".*the build of this peer differs from the seal/
      let match: RegExpExecArray | null = null
      while (match === null) {
        await flipBit(newest(home, 'model')!.path)
        // The running build may have read the file before, or there is a new file already: then repeat.
        await network().untilSealed(network().lastSealed(MODEL) + 2, MODEL)
        match = diverged.exec(await network().log(MODEL))
      }
      const round = Number(match[1])
      await network().until(() =>
        sealed.some((report) => report.round > round && report.cut.some((entry) => entry.peerId === peerId))
      )
      const log = await network().log(MODEL)
      assert.match(log, /the checkpoint has the sealed digest/)
      assert(agree(network().watches))
      assert.equal(log.match(/the build of this peer differs from the seal/g)!.length, 1)
    })
  })
}
