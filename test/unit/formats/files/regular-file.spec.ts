import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { readAdapterPath } from '../../../../src/cli/options/adapter-path.ts'
import { baseModelFolder } from '../../../../src/cli/options/shipped-model.ts'
import { readExamples } from '../../../../src/data/index.ts'
import { requireRegularFile } from '../../../../src/formats/files/regular-file.ts'
import { readJsonObject } from '../../../../src/formats/hugging-face/read-json.ts'
import { fileDigest, readBlockList } from '../../../../src/formats/index.ts'
import { loadChatTemplate } from '../../../../src/model/index.ts'
import { openWeightFile } from '../../../../src/model/weights/weight-file.ts'
import { readCharter } from '../../../../src/node/home/charter-file.ts'
import { readInvite } from '../../../../src/node/membership/invite-files.ts'

describe('files that are not regular', () => {
  let folder: string
  before(function () {
    if (process.platform === 'win32') this.skip()
  })
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'loam-files-'))
  })
  afterEach(() => rm(folder, { recursive: true }))

  async function fifo(name: string): Promise<string> {
    execFileSync('mkfifo', [join(folder, name)])
    return join(folder, name)
  }
  async function endless(name: string): Promise<string> {
    await symlink('/dev/zero', join(folder, name))
    return join(folder, name)
  }

  it('are refused by path; a link to a regular file and a missing file are not', async () => {
    await writeFile(join(folder, 'file'), '')
    await symlink('file', join(folder, 'link'))
    for (const name of ['file', 'link', 'nothing']) requireRegularFile(join(folder, name))
    assert.throws(() => requireRegularFile(folder), /is a folder, not a regular file/)
    const [pipe, device] = [await fifo('a'), await endless('b')]
    assert.throws(() => requireRegularFile(pipe), {
      message: `${pipe} is a FIFO, not a regular file: put the file itself there`
    })
    assert.throws(() => requireRegularFile(device), /b is a device, not a regular file/)
  })

  it('are refused at once as part of a model', async () => {
    await writeFile(join(folder, 'tokenizer_config.json'), '{}')
    for (const path of [await fifo('a.json'), await endless('b.json')]) {
      assert.throws(() => readJsonObject(path), /not a regular file/)
      assert.throws(() => openWeightFile(path), /not a regular file/)
      assert.throws(() => loadChatTemplate(folder, path), /not a regular file/)
      await assert.rejects(readBlockList(path), /not a regular file/)
      await assert.rejects(fileDigest(path), /not a regular file/)
    }
  })

  it('are refused at once as a charter, an invite and an adapter', async () => {
    for (const path of [await fifo('a'), await endless('b')]) {
      await assert.rejects(readCharter(path), /not a regular file/)
      await assert.rejects(readInvite(path), /not a regular file/)
      await assert.rejects(readAdapterPath(path, baseModelFolder()), /not a regular file/)
    }
    await fifo('adapter_config.json')
    await assert.rejects(readAdapterPath(folder, baseModelFolder()), /not a regular file/)
  })

  it('are refused at once as data, alone and in a folder', async () => {
    await writeFile(join(folder, 'a.txt'), 'A text.')
    for (const name of ['b.txt', 'b.jsonl', 'b.json', 'b.csv', 'b']) {
      for (const make of [fifo, endless]) {
        const path = await make(name)
        await assert.rejects(readExamples(path), /not a regular file/)
        if (name !== 'b') await assert.rejects(readExamples(folder), /not a regular file/)
        await rm(path)
      }
    }
    // A link to a text is a text.
    await symlink('a.txt', join(folder, 'c.txt'))
    assert.equal((await readExamples(folder)).examples.length, 2)
  })
})
