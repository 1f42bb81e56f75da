import { closeSync, copyFileSync, mkdirSync, openSync, writeFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { type ModelConfig, modelConfigJson, parameterShapes } from '../../src/model/index.ts'
import { packageRoot } from '../../src/package-root.ts'

/** Elements drawn before they repeat: random numbers cost more than the disk. */
const DRAWN = 1 << 20

/** Writes a folder of random BF16 weights, tensor by tensor, with the shipped model's tokenizer. */
export function writeRandomFolder(folder: string, config: ModelConfig): void {
  mkdirSync(folder, { recursive: true })
  const shipped = join(packageRoot(), 'models/loam-base-1m')
  for (const file of ['tokenizer.json', 'tokenizer_config.json'])
    copyFileSync(join(shipped, file), join(folder, file))
  writeFileSync(join(folder, 'config.json'), JSON.stringify(modelConfigJson(config), undefined, 2))
  const shapes = [...parameterShapes(config)].map(([name, shape]) => ({
    name,
    shape,
    bytes: 2 * shape.reduce((product, extent) => product * extent, 1)
  }))
  const header: Record<string, object> = {}
  let begin = 0
  for (const { name, shape, bytes } of shapes) {
    header[name] = { dtype: 'BF16', shape, data_offsets: [begin, begin + bytes] }
    begin += bytes
  }
  const file = openSync(join(folder, 'model.safetensors'), 'w')
  try {
    const json = Buffer.from(JSON.stringify(header))
    const length = Buffer.alloc(8)
    length.writeBigUInt64LE(BigInt(json.length))
    writeSync(file, Buffer.concat([length, json]))
    const drawn = drawBfloat16(0.02)
    const ones = new Uint16Array(DRAWN).fill(0x3f80)
    for (const { name, bytes } of shapes) {
      const source = new Uint8Array((name.endsWith('norm.weight') ? ones : drawn).buffer)
      for (let done = 0; done < bytes; done += source.length)
        writeSync(file, source, 0, Math.min(source.length, bytes - done))
    }
  } finally {
    closeSync(file)
  }
}

/** Uniform bfloat16 of the given deviation, by a linear congruential generator. */
function drawBfloat16(deviation: number): Uint16Array {
  const floats = new Float32Array(DRAWN)
  let state = 1
  for (let index = 0; index < DRAWN; index++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    floats[index] = (state / 2 ** 31 - 1) * deviation * Math.sqrt(3)
  }
  return Uint16Array.from(new Uint32Array(floats.buffer), (bits) => bits >>> 16)
}
