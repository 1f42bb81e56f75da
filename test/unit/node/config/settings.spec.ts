import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { peerCommand } from '../../../../src/cli/commands/peer/peer.ts'
import { parseHostAndPort } from '../../../../src/node/config/groups/metrics.ts'
import { SETTINGS, settingsReference } from '../../../../src/node/config/index.ts'
import { packageRoot } from '../../../../src/package-root.ts'

describe('the schema of the settings', () => {
  it('describes every setting, and has no key or flag twice', () => {
    for (const { description, accepts, defaultValue, absent, key } of SETTINGS) {
      assert(description.length > 5 && !description.endsWith('.'), key)
      assert(accepts.length > 3, key)
      assert(defaultValue !== undefined || absent !== undefined, `${key}: what holds where it is not given?`)
    }
    for (const names of [SETTINGS.map(({ key }) => key), SETTINGS.flatMap(({ flag }) => flag ?? [])])
      assert.equal(new Set(names).size, names.length)
  })

  it('accepts its own defaults', () => {
    for (const { schema, defaultValue, key } of SETTINGS)
      if (defaultValue !== undefined) assert.deepEqual(schema.parse(defaultValue), defaultValue, key)
  })

  it('generates the help of loam peer', () => {
    const help = peerCommand().helpInformation()
    for (const { flag } of SETTINGS) if (flag !== undefined) assert(help.includes(flag), flag)
    assert(help.includes('--no-mdns'))
  })

  it('matches docs/configuration.md (npm run check -- settings writes it)', () => {
    const text = readFileSync(join(packageRoot(), 'docs', 'configuration.md'), 'utf8')
    assert(
      text.includes(settingsReference()),
      'docs/configuration.md is out of date: npm run check -- settings'
    )
  })

  it('recognises a host and a port', () => {
    assert.deepEqual(parseHostAndPort('127.0.0.1:9464'), { host: '127.0.0.1', port: 9464 })
    assert.deepEqual(parseHostAndPort('[::]:0'), { host: '::', port: 0 })
    for (const text of ['', '9464', ':1', '127.0.0.1:99999', '::1:3', 'a b:1', 'http://x:1'])
      assert.equal(parseHostAndPort(text), undefined, text)
  })
})
