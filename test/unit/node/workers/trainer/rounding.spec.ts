import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import {
  concatenateAdapters,
  decodeAdapterFile,
  type LoraAdapter,
  type LoraPair,
  pairFromBlocks,
  updateNorm
} from '../../../../../src/adapter/index.ts'
import { roundFiles } from '../../../../../src/node/home/home.ts'
import { BlockStore } from '../../../../../src/node/storage/index.ts'
import { memoryLog } from '../../memory-log.ts'
import { never, trainerSuite } from './training-home.ts'

/** The pair's update with its scale in A. */
function scaleOne(pair: LoraPair, sign = 1): LoraAdapter {
  const scale = (sign * pair.alpha) / pair.rank
  return { pairs: [{ ...pair, alpha: pair.rank, A: pair.A.map((value) => value * scale) }] }
}

/** One update minus another. */
function joined(one: LoraPair, other: LoraPair): LoraPair {
  return concatenateAdapters([scaleOne(one), scaleOne(other, -1)]).pairs[0]!
}

describe('training with rounded shards', function () {
  this.timeout(60_000)
  const suite = trainerSuite()
  const { trainer, job } = suite

  it('rounds as the charter says, and compensates in the next round', async () => {
    const store = await BlockStore.open(suite.home.folder, memoryLog())
    const whole = await trainer.train(job(), () => {}, never)
    const { residual, local } = roundFiles(suite.home, 1)
    assert(!existsSync(residual), 'float32 loses nothing')
    const exact = decodeAdapterFile(await readFile(local)).adapter
    const int8 = await trainer.train(job({ dtype: 'int8' }), () => {}, never)
    assert(int8.totalBytes < 0.3 * whole.totalBytes)
    const sent = decodeAdapterFile(await readFile(local)).adapter
    const lost = decodeAdapterFile(await readFile(residual)).adapter
    for (const [index, pair] of sent.pairs.entries()) {
      const bytes = await store.get(int8.shards[index]!.blocks[0]!)
      assert.deepEqual(pairFromBlocks({ ...int8.shards[index]!, dtype: 'int8' }, [bytes!]), pair)
      // Trained = sent + residual, as updates.
      const sum = concatenateAdapters([scaleOne(pair), { pairs: [lost.pairs[index]!] }]).pairs[0]!
      const apart = updateNorm(joined(sum, scaleOne(exact.pairs[index]!).pairs[0]!))
      assert(apart < 1e-5 * updateNorm(exact.pairs[index]!))
      assert(updateNorm(lost.pairs[index]!) > 1e-4 * updateNorm(exact.pairs[index]!))
    }
    const residualPath = roundFiles(suite.home, 2).residual
    const alone = await trainer.train(job({ dtype: 'int8', residualPath }), () => {}, never)
    const madeUp = await trainer.train(
      job({ dtype: 'int8', residualFile: residual, residualPath }),
      () => {},
      never
    )
    assert.notDeepEqual(madeUp.shards, alone.shards)
    assert.equal(madeUp.residualFault, undefined)
    await writeFile(residual, 'half a file')
    const without = await trainer.train(
      job({ dtype: 'int8', residualFile: residual, residualPath }),
      () => {},
      never
    )
    assert.deepEqual(without.shards, alone.shards)
    assert.notEqual(without.residualFault, undefined)
  })
})
