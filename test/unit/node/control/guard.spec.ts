import assert from 'node:assert/strict'
import { hasToken, isMetricsHost, isOwnHost } from '../../../../src/node/control/guard.ts'

describe('the guard of the control API', () => {
  it('accepts the token as a bearer token, and in no other way', () => {
    assert(hasToken('Bearer secret', 'secret'))
    assert(hasToken('bearer secret', 'secret'))
    for (const header of [
      undefined,
      '',
      'secret',
      'Bearer',
      'Bearer ',
      'Bearer secre',
      'Bearer secrets',
      'Basic secret'
    ])
      assert(!hasToken(header, 'secret'), header)
  })

  it('accepts metrics requests only under host names that an attacker cannot point here', () => {
    const hosts = ['Peer.example.org']
    for (const host of [
      '127.0.0.1:9464',
      '192.0.2.7',
      '[2001:db8::1]:9464',
      'localhost',
      'peer-0:9464',
      'peer.example.org:1'
    ])
      assert(isMetricsHost(host, hosts), host)
    for (const host of [
      undefined,
      '',
      ':80',
      'evil.example',
      'evil.example:9464',
      '127.0.0.1.evil.example',
      'example.org',
      'a b'
    ])
      assert(!isMetricsHost(host, hosts), host)
  })

  it('recognises the names of this machine', () => {
    for (const host of ['127.0.0.1', '127.0.0.1:80', 'localhost:1', 'LOCALHOST', '[::1]', '[::1]:99'])
      assert(isOwnHost(host), host)
    for (const host of [
      undefined,
      '',
      'evil.example',
      'evil.example:80',
      '127.0.0.1.evil.example',
      'localhost.',
      '::1',
      '127.0.0.1:80:80'
    ])
      assert(!isOwnHost(host), host)
  })
})
