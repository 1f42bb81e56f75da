import assert from 'node:assert/strict'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { installCommand, installPlace } from '../../../../src/model/executor/install-command.ts'
import { packageVersion } from '../../../../src/model/executor/package-version.ts'

const NATIVE = 'onnxruntime-node'

describe('model/executor/install-command', () => {
  let folder: string
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'loam-install-'))
  })
  after(() => rm(folder, { recursive: true, force: true }))

  it('tells a clone, a project and a global installation apart', async () => {
    assert.equal(installPlace().kind, 'clone')
    const root = join(folder, 'node_modules', 'loam-net')
    await mkdir(root, { recursive: true })
    assert.deepEqual(installPlace(root), { kind: 'global', folder })
    await writeFile(join(folder, 'package.json'), '{}')
    assert.deepEqual(installPlace(root), { kind: 'project', folder })
  })

  it('installs the version that this clone is tested with, without its install script', () => {
    const place = { kind: 'project', folder: '/srv/app' } as const
    const version = packageVersion(NATIVE)
    assert.equal(
      installCommand(NATIVE, { place, currentFolder: '/srv/app' }),
      `npm install --ignore-scripts ${NATIVE}@${version}`
    )
    assert.equal(
      installCommand(NATIVE, { place, currentFolder: '/' }),
      `npm install --prefix /srv/app --ignore-scripts ${NATIVE}@${version}`
    )
    assert.equal(
      installCommand(NATIVE, { place: { kind: 'global', folder: '/usr/lib' } }),
      `npm install --global --ignore-scripts ${NATIVE}@${version}`
    )
  })

  it('reinstalls a clone with npm ci, and adds packages to it without saving them', () => {
    const place = { kind: 'clone', folder: '/src/loam' } as const
    assert.equal(installCommand('onnxruntime-web', { place }), 'npm ci')
    assert.match(
      installCommand('@tensorflow/tfjs-node', { place, currentFolder: '/src/loam', withScripts: true }),
      /^npm install --no-save --ignore-scripts=false @tensorflow\/tfjs-node@\d/
    )
  })

  it('knows every package that provides an executor', () => {
    for (const name of [
      'onnxruntime-web',
      ...['core', 'backend-cpu', 'backend-wasm', 'node', 'node-gpu'].map((each) => `@tensorflow/tfjs-${each}`)
    ])
      assert.match(
        installCommand(name, { place: { kind: 'project', folder: '/' } }),
        new RegExp(`${name}@\\d+\\.\\d+\\.\\d+$`)
      )
    assert.throws(() => installCommand('left-pad', { place: { kind: 'project', folder: '/' } }), /left-pad/)
  })
})
