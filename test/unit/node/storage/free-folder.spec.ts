import assert from 'node:assert/strict'
import { mkdir, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { removeReplaced, requireFreeFolder, requireOtherFolder } from '../../../../src/node/storage/index.ts'

describe('a folder to write into', () => {
  let folder: string
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'loam-free-'))
  })
  afterEach(() => rm(folder, { recursive: true }))

  it('is missing or empty, or may be replaced', async () => {
    await requireFreeFolder(join(folder, 'missing'))
    await writeFile(join(folder, '.gitkeep'), '')
    await requireFreeFolder(folder)
    for (const name of ['a', 'b', 'c', 'd', 'e']) await writeFile(join(folder, name), '')
    await assert.rejects(requireFreeFolder(folder), {
      name: 'PeerError',
      message: `${folder} is not empty (a, b, c and 2 more): choose another folder, or replace what is in it with --overwrite`
    })
    await assert.rejects(requireFreeFolder(join(folder, 'a'), true), /a is a file, not a folder/)
    await requireFreeFolder(folder, true)
    await requireFreeFolder(folder, false, ['a', 'b', 'c', 'd', 'e'])
  })

  it('is none that is read, by whatever name', async () => {
    await symlink(folder, join(folder, 'link'))
    const read = { 'the base model': join(folder, 'missing'), 'the data': folder, 'the rest': undefined }
    for (const name of [folder, join(folder, 'link'), join(folder, '.')])
      await assert.rejects(requireOtherFolder(name, read), {
        name: 'PeerError',
        message: `${name} is the folder of the data: choose another folder`
      })
    await requireOtherFolder(join(folder, 'missing'), read)
    await requireOtherFolder(join(folder, 'other'), { 'the base model': join(folder, 'missing') })
  })

  it('loses the files that would be read with the new ones, and nothing else', async () => {
    for (const name of ['model.bin', 'notes.txt', '.bin']) await writeFile(join(folder, name), '')
    await mkdir(join(folder, 'kept'))
    await removeReplaced(folder, /bin$/)
    assert.deepEqual((await readdir(folder)).sort(), ['.bin', 'kept', 'notes.txt'])
    await removeReplaced(join(folder, 'missing'), /./)
  })
})
