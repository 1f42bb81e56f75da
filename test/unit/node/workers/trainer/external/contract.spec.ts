import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  answerSchema,
  CONTRACT_VERSION,
  contractJsonSchema,
  requestSchema
} from '../../../../../../src/node/workers/trainer/external/contract.ts'
import { packageRoot } from '../../../../../../src/package-root.ts'

describe('the trainer contract', () => {
  const docs = join(packageRoot(), 'docs')

  it('ships as the JSON schema that is in use', () => {
    const shipped = JSON.parse(readFileSync(join(docs, 'trainer-contract.schema.json'), 'utf8'))
    assert.deepEqual(
      shipped,
      JSON.parse(JSON.stringify(contractJsonSchema())),
      "write it again: node -e \"import('./dist/src/node/workers/trainer/external/contract.js').then(({ contractJsonSchema: s }) => fs.writeFileSync('docs/trainer-contract.schema.json', JSON.stringify(s(), undefined, 2) + '\\n'))\""
    )
  })

  it('is documented with every message and every field', () => {
    const text = readFileSync(join(docs, 'trainers.md'), 'utf8')
    assert(text.includes(`version ${CONTRACT_VERSION}.`))
    for (const schema of [requestSchema, answerSchema])
      for (const option of schema.options)
        for (const type of option.shape.type.values) assert(text.includes(`\`${type}\``), String(type))
    const [train] = requestSchema.options
    for (const field of Object.keys(train.shape))
      if (!['type', 'round'].includes(field)) assert(text.includes(`\`${field}\``), field)
  })

  it('has valid answers in its example', () => {
    const text = readFileSync(join(docs, 'trainers.md'), 'utf8')
    const lines = text.split('\n').filter((line) => line.startsWith('{"type"'))
    assert(lines.length > 0)
    for (const line of lines) answerSchema.parse(JSON.parse(line))
  })
})
