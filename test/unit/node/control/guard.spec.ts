import assert from 'node:assert/strict'
import { hasToken, isOwnHost } from '../../../../src/node/control/guard.ts'

describe('the guard of the control API', () => {
  it('takes the token as a bearer, and nothing else', () => {
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

  it('knows the names of this machine from all others', () => {
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
