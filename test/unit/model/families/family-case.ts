import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { z } from 'zod'
import { float16ToFloat32 } from '../../../../src/formats/elements/half-floats.ts'
import type { Tensor } from '../../../../src/formats/tensor.ts'
import { packageRoot } from '../../../../src/package-root.ts'

/** Numbers as checks/vectors/family-vectors.py writes them. */
const tensor = z
  .union([
    z.object({ shape: z.array(z.number()), float32: z.string() }),
    z.object({ shape: z.array(z.number()), float16: z.string() })
  ])
  .transform((written): Tensor => {
    const isWide = 'float32' in written
    const bytes = Uint8Array.from(Buffer.from(isWide ? written.float32 : written.float16, 'base64'))
    const data = isWide
      ? new Float32Array(bytes.buffer)
      : Float32Array.from(new Uint16Array(bytes.buffer), float16ToFloat32)
    return { shape: written.shape, data }
  })
const tensors = z.record(z.string(), tensor)
const ids = z.array(z.number()).transform((values) => Int32Array.from(values))

const vectors = z.object({
  transformers: z.string(),
  cases: z
    .array(
      z
        .object({
          name: z.string(),
          /** Contents of config.json. */
          config: z.string(),
          olderConfig: z.record(z.string(), z.unknown()),
          safetensors: z.string(),
          batch: z.object({
            batchSize: z.number(),
            sequenceLength: z.number(),
            inputIds: ids,
            targetIds: ids,
            targetWeights: z.array(z.number()).transform((values) => Float32Array.from(values))
          }),
          logits: tensor,
          greedy: z.array(z.object({ prompt: z.array(z.number()), made: z.array(z.number()) })),
          modules: z.array(z.string()),
          rank: z.number(),
          alpha: z.number(),
          lora: tensors,
          loss: z.number(),
          gradients: tensors
        })
        .transform(({ config, ...known }) => ({
          ...known,
          configText: config,
          config: z.record(z.string(), z.unknown()).parse(JSON.parse(config))
        }))
    )
    .nonempty()
})

/** A tiny model that transformers saved, and what it and PEFT compute with it. */
export type FamilyCase = z.output<typeof vectors>['cases'][number]

const FOLDER = join(packageRoot(), 'test/unit/model/vectors/families')

/** Every case, by family. */
export function familyCases(): readonly { readonly family: string; readonly cases: readonly FamilyCase[] }[] {
  return readdirSync(FOLDER)
    .sort()
    .map((file) => ({
      family: file.replace('.json', ''),
      cases: vectors.parse(JSON.parse(readFileSync(join(FOLDER, file), 'utf8'))).cases
    }))
}

/** Runs `use` with a folder as transformers saved it. */
export async function withSavedFolder<T>(
  { configText, safetensors }: Pick<FamilyCase, 'configText' | 'safetensors'>,
  use: (folder: string) => Promise<T> | T
): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'loam-family-'))
  try {
    writeFileSync(join(folder, 'config.json'), configText)
    writeFileSync(join(folder, 'model.safetensors'), Buffer.from(safetensors, 'base64'))
    return await use(folder)
  } finally {
    rmSync(folder, { recursive: true })
  }
}
