import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type ModelConfig, parseModelConfig } from '../../../../src/model/index.ts'
import { packageRoot } from '../../../../src/package-root.ts'

interface RealConfig {
  readonly model: string
  /** The keys that the makers' folder has. */
  readonly config: object
  /** What has to come out of them; null for what has to be absent. */
  readonly expected: Partial<Record<keyof ModelConfig, unknown>>
}

const file = join(packageRoot(), 'test', 'unit', 'model', 'families', 'real-configs.json')
const REAL = JSON.parse(readFileSync(file, 'utf8')) as readonly RealConfig[]

describe("the makers' config.json", () => {
  for (const { model, config, expected } of REAL) {
    it(`of ${model} is read`, () => {
      const parsed = parseModelConfig(config)
      for (const [key, value] of Object.entries(expected))
        assert.deepEqual(parsed[key as keyof ModelConfig] ?? null, value, key)
    })
  }
})
