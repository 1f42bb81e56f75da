import assert from 'node:assert/strict'
import {
  contentDigest,
  createDomainFilter,
  loadPretrainingDocuments
} from '../../../../../pretrain/corpus/packages/index.ts'
import { DOMAIN_NAMES, type Domain, loadDomain, type TextDocument } from '../../../../../src/data/index.ts'

describe('pretrain/corpus/packages/pretraining-documents', () => {
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

  it('keeps the novel and the years of the domains out of pretraining, and leaves at least 9 MB', () => {
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

describe('createDomainFilter', () => {
  const lines = [
    'The ferry left the island an hour before the storm reached it,',
    'and those who had stayed behind counted themselves fortunate that',
    'nobody had yet thought of asking them to row the others back home.'
  ]
  let isNew: Awaited<ReturnType<typeof createDomainFilter>>
  let chapter: string
  before(async () => {
    isNew = await createDomainFilter()
    chapter = (await loadDomain('moby-dick')).documents[3]!.text
  })

  it('refuses a document of a domain, however it is laid out', () => {
    assert.equal(isNew({ id: 'copy', text: chapter }), false)
    assert.equal(isNew({ id: 'wrapped', text: chapter.toUpperCase().replaceAll(' ', '\n') }), false)
  })

  it('refuses a text if more than a fifth of its long lines occur in a domain', () => {
    const borrowed = chapter.split('\n').find((line) => line.length > 60)!
    assert.equal(isNew({ id: 'borrower', text: [...lines, borrowed].join('\n') }), false)
  })

  it('passes the first of two equal texts that no domain contains', () => {
    assert.equal(isNew({ id: 'first', text: lines.join('\n') }), true)
    assert.equal(isNew({ id: 'second', text: lines.join(' ') }), false)
  })
})
