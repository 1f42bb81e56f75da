import assert from 'node:assert/strict'
import { DOMAIN_NAMES, type Domain, loadDomain } from '../../../src/data/index.ts'

describe('data/domains', () => {
  const domains: Domain[] = []

  before(async () => {
    for (const name of DOMAIN_NAMES) domains.push(await loadDomain(name))
  })

  it('has sixteen domains, the first four in a fixed order', () => {
    assert.equal(DOMAIN_NAMES.length, 16)
    assert.deepEqual(DOMAIN_NAMES.slice(0, 4), [
      'newsletters',
      'moby-dick',
      'modern-presidents',
      'rpm-packagers'
    ])
  })

  it('gives each at least 12 documents and 150 KB', () => {
    for (const { name, documents, description, licence } of domains) {
      const size = documents.reduce((sum, { text }) => sum + Buffer.byteLength(text), 0)
      assert.ok(
        documents.length >= 12 && size >= 150_000,
        `${name}: ${documents.length} documents, ${size} bytes`
      )
      assert.ok(description !== '' && licence !== '')
    }
  })

  it('lists the available domains for an unknown one', async () => {
    await assert.rejects(
      loadDomain('cooking'),
      /unknown domain "cooking": choose one of newsletters, moby-dick/
    )
  })
})
