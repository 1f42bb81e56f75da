/**
 * Checks that this machine merges to the committed digests: run it on another processor, or under other flags of Node.
 *
 * Usage: node dist/checks/kernel/check-merge.js [--write]
 *   --write  recomputes the digests with the reference and replaces docs/vectors/merge.json
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { MergeKernel } from '../../src/adapter/kernel/merge-kernel.ts'
import { mergeReference } from '../../src/adapter/kernel/merge-reference.ts'
import { packageRoot } from '../../src/package-root.ts'
import { type MergeVector, mergeInputs, weightSha256 } from './merge-vectors.ts'

const path = join(packageRoot(), 'docs', 'vectors', 'merge.json')
const committed = JSON.parse(readFileSync(path, 'utf8')) as MergeVector[]
const write = process.argv.includes('--write')
const vectors = write
  ? committed.map((vector) => ({ ...vector, sha256: referenceDigest(vector) }))
  : committed
if (write) {
  writeFileSync(path, `[\n${vectors.map((vector) => `  ${JSON.stringify(vector)}`).join(',\n')}\n]\n`)
}
const faults = vectors.flatMap((vector) => {
  const wrong: string[] = []
  if (referenceDigest(vector) !== vector.sha256) wrong.push('the TypeScript reference')
  if (kernelDigest(vector) !== vector.sha256) wrong.push('the kernel')
  return wrong.length === 0 ? [] : [`${JSON.stringify(vector)}: differs in ${wrong.join(' and ')}`]
})
for (const line of faults) console.error(line)
const machine = `${process.arch}, Node ${process.version}, V8 ${process.versions.v8}`
console.log(
  `${vectors.length - faults.length} of ${vectors.length} merges have the committed digests (${machine})`
)
process.exitCode = faults.length === 0 ? 0 : 1

function referenceDigest(vector: MergeVector): string {
  const { weight, A, B } = mergeInputs(vector)
  return weightSha256(mergeReference(weight, B, A, vector.rank, vector.dtype))
}

/** In pieces of uneven size, repeatedly, so that a kernel recompiled in the meantime is checked as well. */
function kernelDigest(vector: MergeVector): string {
  const { weight, A, B } = mergeInputs(vector)
  const { rows, columns, rank, dtype } = vector
  const kernel = new MergeKernel()
  kernel.load(A, rank, columns)
  const digests = new Set<string>()
  for (let repeat = 0; repeat < 20; repeat++) {
    const merged = weight.slice()
    for (let row = 0, step = 1 + repeat; row < rows; row += step) {
      const end = Math.min(rows, row + step)
      const piece = merged.subarray(row * columns, end * columns)
      kernel.addRows(piece, piece, B.subarray(row * rank, end * rank), dtype)
    }
    digests.add(weightSha256(merged))
  }
  return digests.size === 1 ? [...digests][0]! : 'different in different runs'
}
