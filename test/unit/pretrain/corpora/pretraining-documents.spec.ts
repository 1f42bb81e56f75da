import assert from 'node:assert/strict'
import { contentDigest, loadPretrainingDocuments } from '../../../../pretrain/corpora/index.ts'
import { DOMAIN_NAMES, type Domain, loadDomain, type TextDocument } from '../../../../src/data/index.ts'

describe('pretrain/corpora/pretraining-documents', () => {
  const domains: Domain[] = []
  let pretraining: TextDocument[] = []

  before(async () => {
    for (const name of DOMAIN_NAMES) domains.push(await loadDomain(name))
    pretraining = await loadPretrainingDocuments()
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
})
