import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type ModelConfig, parseModelConfig } from '../../../../src/model/index.ts'
import { packageRoot } from '../../../../src/package-root.ts'

interface PublishedConfig {
  readonly model: string
  /** The keys in the published folder. */
  readonly config: object
  /** The expected result; null for what must be absent. */
  readonly expected: Partial<Record<keyof ModelConfig, unknown>>
}

const file = join(packageRoot(), 'test', 'unit', 'model', 'families', 'real-configs.json')
const PUBLISHED = JSON.parse(readFileSync(file, 'utf8')) as readonly PublishedConfig[]

describe('published config.json files', () => {
  for (const { model, config, expected } of PUBLISHED) {
    it(`of ${model} are read`, () => {
      const parsed = parseModelConfig(config)
      for (const [key, value] of Object.entries(expected))
        assert.deepEqual(parsed[key as keyof ModelConfig] ?? null, value, key)
    })
  }
})
