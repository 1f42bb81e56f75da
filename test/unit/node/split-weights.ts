import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { openWeightFile, writeWeightFile } from '../../../src/model/weights/weight-file.ts'

/** Writes a folder's one weight file as several, with an index, as large models have them. */
export async function splitWeights(folder: string, parts: number): Promise<void> {
  const whole = join(folder, 'model.safetensors')
  const groups = Array.from(
    { length: parts },
    () => new Map<string, { shape: readonly number[]; data: Float32Array }>()
  )
  let count = 0
  const { tensors, close } = openWeightFile(whole)
  for (const tensor of tensors.values())
    groups[count++ % parts]!.set(tensor.name, { shape: tensor.shape, data: tensor.read() })
  close()
  const map: Record<string, string> = {}
  for (const [index, group] of groups.entries()) {
    const name = `model-0000${index + 1}-of-0000${parts}.safetensors`
    writeWeightFile(join(folder, name), group, { dtype: 'F32', metadata: {} })
    for (const tensor of group.keys()) map[tensor] = name
  }
  await rm(whole)
  await writeFile(join(folder, 'model.safetensors.index.json'), JSON.stringify({ weight_map: map }))
}
