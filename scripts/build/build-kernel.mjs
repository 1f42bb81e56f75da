/**
 * Compiles the merge kernel (AssemblyScript) and writes its bytes into a module that the adapter imports, so that
 * `src/adapter/` loads no file. Runs before tsc, hence plain JavaScript. Nothing is done where the module is up to date.
 *
 * Usage: node scripts/build/build-kernel.mjs
 */
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import asc from 'assemblyscript/asc'

const SOURCE = 'src/adapter/kernel/assembly/merge-kernel.ts'
const TARGET = 'src/adapter/kernel/kernel-bytes.ts'
const root = new URL('../../', import.meta.url)
const source = readFileSync(new URL(SOURCE, root), 'utf8')
const inputs = createHash('sha256').update(`${asc.version}\n${source}`).digest('hex')
const target = new URL(TARGET, root)

if (!existsSync(target) || !readFileSync(target, 'utf8').includes(inputs)) {
  const { wasm, text } = await compile()
  // Relaxed instructions may give other bits on another processor, and nothing below would notice.
  const forbidden = /relaxed|madd|\bfma\b/.exec(text)
  if (forbidden) throw new Error(`${SOURCE} compiles to ${forbidden[0]}, which is not deterministic`)
  writeFileSync(
    target,
    `/** Written by scripts/build/build-kernel.mjs from ${SOURCE} (inputs ${inputs}): WebAssembly in base64. */
export const KERNEL_BASE64 =
  '${Buffer.from(wasm).toString('base64')}'
`
  )
}

async function compile() {
  const outputs = new Map()
  const { error, stderr } = await asc.main(
    [
      'merge-kernel.ts',
      '-o',
      'kernel.wasm',
      '-t',
      'kernel.wat',
      '-O3',
      '--converge',
      '--enable',
      'simd',
      '--noAssert',
      '--runtime',
      'stub'
    ],
    {
      readFile: (name) => (name === 'merge-kernel.ts' ? source : null),
      writeFile: (name, contents) => void outputs.set(name, contents),
      listFiles: () => []
    }
  )
  if (error) throw new Error(`${SOURCE}: ${error.message}\n${stderr.toString()}`)
  return { wasm: outputs.get('kernel.wasm'), text: String(outputs.get('kernel.wat')) }
}
