/**
 * Trains a LoRA with Loam's own engine on a batches file, for test_loam_engine.py.
 *
 * Usage: node loam_engine.mjs DIST REQUEST.json OUT; writes OUT/start.safetensors and OUT/trained.safetensors, prints
 * the
 * losses as JSON.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

const [dist, requestFile, out] = process.argv.slice(2)
const load = (path) => import(pathToFileURL(join(dist, 'src', path)).href)
const { createLoraTrainer, learningRateAt, loadBaseModel } = await load('model/index.js')
const { encodeSafetensors } = await load('formats/index.js')

/** Reads 32-bit tensors, since Loam's reader accepts only floating-point numbers. */
function read32(path) {
  const bytes = readFileSync(path)
  const length = Number(bytes.readBigUInt64LE(0))
  const header = JSON.parse(bytes.subarray(8, 8 + length).toString())
  return (name) => {
    const {
      dtype,
      shape,
      data_offsets: [start, end]
    } = header[name]
    const own = new Uint8Array(bytes.subarray(8 + length + start, 8 + length + end)).buffer
    return { shape, data: dtype === 'F32' ? new Float32Array(own) : new Int32Array(own) }
  }
}

const request = JSON.parse(readFileSync(requestFile, 'utf8'))
const { rank, alpha, rsLora, modules, training, seed } = request
const tensor = read32(request.batches)
const [, batchSize, sequenceLength] = tensor('input_ids').shape
const size = batchSize * sequenceLength
const part = (name, step) => tensor(name).data.slice(step * size, (step + 1) * size)
const { config, weights } = loadBaseModel(request.base)
const trainer = await createLoraTrainer({
  config,
  rank,
  alpha,
  rsLora,
  targetModules: modules,
  batchSize,
  sequenceLength,
  isolateDocuments: true
})
const run = trainer.begin({
  weights,
  seed,
  optimizer: { weightDecay: training.weightDecay },
  clipNorm: training.clipNorm
})
const save = (name) => {
  const tensors = new Map()
  for (const { module, inFeatures, outFeatures, A, B } of run.adapter.pairs) {
    tensors.set(`${module}.A`, { shape: [rank, inFeatures], data: Float32Array.from(A) })
    tensors.set(`${module}.B`, { shape: [outFeatures, rank], data: Float32Array.from(B) })
  }
  writeFileSync(join(out, name), encodeSafetensors(tensors))
}
save('start.safetensors')
const losses = []
for (let step = 0; step < training.steps; step++) {
  const batch = {
    batchSize,
    sequenceLength,
    inputIds: part('input_ids', step),
    targetIds: part('target_ids', step),
    targetWeights: part('target_weights', step),
    segments: Float32Array.from(part('segments', step))
  }
  const rate = learningRateAt({ kind: 'cosine', ...training }, step, training.steps)
  losses.push((await run.step(batch, rate)).loss)
}
save('trained.safetensors')
await trainer.dispose()
process.stdout.write(JSON.stringify(losses))
