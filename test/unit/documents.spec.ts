import assert from 'node:assert/strict'
import { readDocument } from '../../checks/documents/document.ts'
import { faultText, findFaults } from '../../checks/documents/find-faults.ts'
import { type House, readDocuments, readHouse } from '../../checks/documents/house.ts'

describe('the documents', function () {
  // The tree is read once; a loaded machine takes seconds for it.
  this.timeout(60_000)
  let house: House
  const documents = readDocuments()
  before(async () => {
    house = await readHouse()
  })

  /** The faults in one document with this text, at this path. */
  function faultsIn(text: string, path = 'docs/planted.md'): string[] {
    return findFaults([readDocument(path, text)], house)
      .filter((fault) => fault.path === path)
      .map(faultText)
  }

  it('agree with the tree', () => {
    assert.deepEqual(findFaults(documents, house).map(faultText), [])
  })

  it('are all checked', () => {
    const paths = documents.map(({ path }) => path)
    for (const path of ['README.md', 'CONTRIBUTING.md', 'docs/architecture.md', 'docs/spec/rules.md'])
      assert(paths.includes(path), path)
  })

  /** One planted error of each kind, with the expected message; and the same text without the error. */
  const planted: readonly (readonly [kind: string, wrong: string, what: RegExp, right: string])[] = [
    ['a path', '`src/adaptor/stack`', /there is no src\/adaptor\/stack/, '`src/adapter/stack`'],
    ['a file by its name', '`quorums.ts`', /there is no quorums\.ts/, '`quorum.ts`'],
    ['a compiled file', '`dist/src/cli/loam.js`', /there is no src\/cli\/loam\.ts/, '`dist/src/cli/main.js`'],
    ['a part of the package', '`loam-net/nodes`', /not exported/, '`loam-net/node`'],
    ['a link', '[a](../NOWHERE.md)', /leads nowhere/, '[a](../README.md)'],
    ['a heading', '# Here\n\n[a](#there)', /no heading #there/, '# Here\n\n[a](#here)'],
    ['a script', '`npm run experiments`', /no npm run experiments/, '`npm run testnet`'],
    ['a script without npm run', '`bench:train`', /no npm run bench:train/, '`test:unit`'],
    ['a named program', '`npm run bench -- trian`', /knows no trian/, '`npm run bench -- train`'],
    [
      'a flag of a script',
      '`npm run sim -- --seed-count 1`',
      /has no --seed-count/,
      '`npm run sim -- --seeds 1`'
    ],
    ['a command', '`loam peer-status`', /no command loam peer-status/, '`loam status`'],
    ['a command below one', '`loam members expel`', /loam members expel/, '`loam members list|evict`'],
    [
      'a flag of a command',
      '```\nloam verify --hard HOME\n```',
      /verify has no --hard/,
      '```\nloam verify HOME\n```'
    ],
    ['a flag alone', '`--keep-stack N`', /nothing has --keep-stack/, '`--keep-stacks N`'],
    ['a missing option', '```\nloam identity\n```', /needs --home/, '```\nloam identity --home DIR\n```'],
    ['an argument too many', '```\nloam verify A B\n```', /takes 1 arguments/, '```\nloam verify A\n```'],
    ['a setting', '`storage.keepOld`', /no setting storage\.keepOld/, '`storage.keepYoung`'],
    ['a default', '`log.keepFiles` (5)', /keepFiles is 4 by default/, '`log.keepFiles` (4)'],
    ['a default with a unit', '`log.maxSize` (2 MiB)', /maxSize is/, '`log.maxSize` (20 MiB)'],
    [
      'a flat key in a peer.json',
      '```json peer.json\n{ "rank": 8 }\n```',
      /would be refused/,
      '```json peer.json\n{ "adapter": { "rank": 8 } }\n```'
    ],
    [
      "a command's default",
      '```\nloam consortium create --home A --name B --out C\n```\n\n| option | default |\n|---|---|\n| `--max-rank` | `65` |\n',
      /--max-rank is 64/,
      '```\nloam consortium create --home A --name B --out C\n```\n\n| option | default |\n|---|---|\n| `--max-rank` | `64` |\n'
    ],
    [
      'a log line',
      '| message |\n|---|\n| `the peer jogs` |\n',
      /no source says "the peer jogs"/,
      '| message |\n|---|\n| `the peer is running` |\n'
    ],
    [
      'a reason with gaps',
      '| reason |\n|---|\n| `all N members left round R and no Q of them agree` |\n',
      /no source says/,
      '| reason |\n|---|\n| `all N members attested round R and no Q of them agree` |\n'
    ],
    ['a protocol', '`/loam/block/1`', /no source has \/loam\/block\/1/, '`/loam/blocks/1`'],
    ['a metric', '`loam_haltings`', /no source has loam_haltings/, '`loam_halted`'],
    ['a variable', '`LOAM_DEBUGGING`', /no source has LOAM_DEBUGGING/, '`LOAM_DEBUG`'],
    [
      "a test's name",
      '`test/integration/network/host.spec.ts` (lets strangers in)',
      /has no test/,
      '`test/integration/network/host.spec.ts` (admits no stranger)'
    ]
  ]

  for (const [kind, wrong, what, right] of planted)
    it(`fail the check with ${kind} that is wrong`, () => {
      const found = faultsIn(wrong)
      assert(
        found.some((fault) => what.test(fault)),
        `${wrong}: ${found.join('; ') || 'nothing found'}`
      )
      assert.deepEqual(faultsIn(right), [])
    })

  it('fail the check with an outdated table of settings', () => {
    const path = 'docs/configuration.md'
    const { text } = documents.find((document) => document.path === path)!
    assert.deepEqual(faultsIn(text, path), [])
    assert.notDeepEqual(faultsIn(text.replace('| 8 |', '| 9 |'), path), [])
  })

  it("fail the check with a file of a peer's home that is not listed", () => {
    const path = 'docs/architecture.md'
    const { text } = documents.find((document) => document.path === path)!
    assert.match(faultsIn(text.replaceAll('`votes.wal`', ''), path).join('\n'), /lacks votes\.wal/)
  })

  it('fail the check with an undocumented script or command', () => {
    const more = { ...house, scripts: { ...house.scripts, dance: 'node dance.js' } }
    assert.match(findFaults(documents, more).map(faultText).join(), /npm run dance is not shown/)
    const fewer = documents.map(({ path, text }) => readDocument(path, text.replaceAll('loam doctor', 'it')))
    assert.match(findFaults(fewer, house).map(faultText).join(), /no document shows loam doctor/)
  })

  it('are reported by line', () => {
    assert.match(faultsIn('one\n\ntwo `src/nowhere.ts` three').join(), /^docs\/planted\.md:3: /)
  })
})
