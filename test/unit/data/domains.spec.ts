import assert from 'node:assert/strict'
import {
  contentDigest,
  DOMAIN_NAMES,
  type Domain,
  loadDomain,
  loadPretrainingDocuments,
  type TextDocument
} from '../../../src/data/index.ts'

describe('data/domains', () => {
  const domains: Domain[] = []
  let pretraining: TextDocument[] = []

  before(async () => {
    for (const name of DOMAIN_NAMES) domains.push(await loadDomain(name))
    pretraining = await loadPretrainingDocuments()
  })

  it('has sixteen of them, the first four in their fixed order', () => {
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

  it('puts no document and no text into two domains, or into a domain and pretraining', () => {
    const ids = new Set<string>()
    const digests = new Map<string, string>()
    for (const { id, text } of [...domains.flatMap(({ documents }) => documents), ...pretraining]) {
      assert.ok(!ids.has(id), `${id} comes twice`)
      ids.add(id)
      const digest = contentDigest(text)
      assert.equal(digests.get(digest), undefined, `${id} repeats ${digests.get(digest)}`)
      digests.set(digest, id)
    }
  })

  it('keeps the novel and the domains’ years out of pretraining, and leaves at least 9 MB', () => {
    const years = pretraining
      .flatMap(({ id }) => /^state-of-the-union\/(\d{4})/.exec(id)?.[1] ?? [])
      .map(Number)
    const heldOutYears = [
      1790, 1824, 1861, 1868, 1877, 1884, 1913, 1920, 1934, 1945, 1960, 1961, 1969, 1982, 2021
    ]
    for (const year of heldOutYears) assert.ok(!years.includes(year), `${year} is pretrained on`)
    assert.ok(years.includes(1850) && years.includes(1905))
    assert.ok(!pretraining.some(({ id }) => id.startsWith('moby-dick') || id.startsWith('mails/spam-1')))
    assert.ok(pretraining.reduce((sum, { text }) => sum + text.length, 0) > 9e6)
  })

  it('masks addresses everywhere', () => {
    const mails = [...domains.flatMap(({ documents }) => documents), ...pretraining].filter(({ id }) =>
      id.startsWith('mails/')
    )
    const leaks = mails.filter(({ text }) => /[\w.]+@\w+\.\w{2,}|https?:\/\//i.test(text)).map(({ id }) => id)
    assert.deepEqual(leaks, [])
  })

  it('names the domains there are when asked for another', async () => {
    await assert.rejects(loadDomain('cooking'), /no domain "cooking": choose one of newsletters, moby-dick/)
  })
})
