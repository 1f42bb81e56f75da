import assert from 'node:assert/strict'
import { readFile, rm, writeFile } from 'node:fs/promises'
import { addSettings } from '../../../scripts/testnet/prepare-homes.ts'
import { loadTokenizer } from '../../../src/model/index.ts'
import { SHIPPED_BASE } from '../../support/tiny-base.ts'
import { agree, PeerNetwork } from './peer-network.ts'

const EVERYBODY = [0, 1, 2, 3]
const HONEST = [0, 1, 2]
const POISONED = 3
/** Level of a warning in a log. */
const WARN = 40
/** Tokens of a prompt, and of the completion in which every token is wrong. */
const PART = 24

/** A peer's documents with labels turned round: after real text, each token is the vocabulary's as far from its other end. */
async function turnLabelsRound(path: string): Promise<void> {
  const tokenizer = loadTokenizer(SHIPPED_BASE)
  const lines = (await readFile(path, 'utf8')).split('\n').filter(Boolean)
  const records = lines.flatMap((line) => {
    const ids = tokenizer.encode(JSON.parse(line).text).slice(0, 20 * PART)
    return Array.from({ length: Math.floor(ids.length / (2 * PART)) }, (_, k) => {
      const [prompt, truth] = [0, 1].map((half) =>
        ids.slice((2 * k + half) * PART, (2 * k + half + 1) * PART)
      )
      const wrong = truth!.map((id) => tokenizer.vocabularySize - 1 - id)
      return { prompt: tokenizer.decode(prompt!), completion: tokenizer.decode(wrong) }
    })
  })
  const usable = records.filter(({ completion }) => completion.trim() !== '')
  await writeFile(path, usable.map((record) => `${JSON.stringify(record)}\n`).join(''))
}

describe('a new charter, and a member that trains with flipped labels', function () {
  this.timeout(180_000)
  let network: PeerNetwork

  before(async () => {
    // A trained model: harm shows only in its loss.
    // Members wait for each other's measurements: the ready of the poisoned member and of one that has refused would
    // otherwise end the round for the others before they have measured anything.
    const timeouts = { gatherMs: 30_000, graceMs: 30_000 }
    network = await PeerNetwork.prepare(4, { timeouts }, SHIPPED_BASE)
    const peers = network.prepared.peers
    // Only of its own text: what it keeps back. The others have a file.
    await rm(peers[0]!.home.heldOut)
    await turnLabelsRound(peers[POISONED]!.home.documents)
    // Seeds follow from new keys in every run: 16 steps raised the loss by 0.4 to 0.8 nats around the veto's 0.5, 48 by 4 to 5.
    const training = { steps: 48, batchSize: 2, sequenceLength: 32, learningRate: 0.02 }
    await addSettings([peers[POISONED]!], { training })
    await network.start(...EVERYBODY)
  })
  after(() => network.end())

  it('leaves the shards of that member out of the cut, and stacks the others', async () => {
    const { peerId } = network.prepared.peers[POISONED]!
    const refusing = (round: number): number[] =>
      HONEST.filter((index) =>
        network.watches[index]!.heldOut.some(
          (report) => report.round === round && report.peerId === peerId && report.isRefused
        )
      )
    // In a later round the bound on norms, which follows the honest ones, refuses the update before it is measured.
    const judged = () =>
      network.watches[0]!.sealed.find(({ round, cut }) => cut.length > 0 && refusing(round).length >= 2)
    await network.until(() => judged() !== undefined)
    const { round, cut } = judged()!
    // Two refusals keep a quorum of three from it.
    assert(!cut.some((entry) => entry.peerId === peerId))
    const refusals = refusing(round)
    for (const index of refusals) {
      const lines = (await network.log(index)).split('\n')
      const accusing = lines.filter((line) =>
        /it raises the held-out loss from [0-9.]+ to [0-9.]+/.test(line)
      )
      assert(accusing.some((line) => line.includes(peerId) && line.startsWith(`{"level":${WARN},`)))
    }
    for (const { heldOut } of network.watches)
      for (const report of heldOut) if (report.isRefused) assert.equal(report.peerId, peerId)
    await network.untilSealed(round + 1, ...HONEST)
    assert(agree(network.watches))
  })
})
