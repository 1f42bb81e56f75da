import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { packageRoot } from '../../../../src/package-root.ts'

const RUNNER = pathToFileURL(join(packageRoot(), 'dist', 'scripts', 'build', 'run-named.js')).href

describe('npm run ROOM -- NAME', () => {
  let folder: string
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'loam-runner-'))
    writeFileSync(
      join(folder, 'echo.mjs'),
      'const [code, ...rest] = process.argv.slice(2)\nconsole.log(JSON.stringify([process.execArgv, rest]))\nprocess.exit(Number(code))\n'
    )
    const room = {
      room: 'play',
      programs: {
        echo: { summary: 'says what it was given', file: './echo.mjs', nodeFlags: ['--expose-gc'] },
        gone: { summary: 'is not there', file: './gone.mjs' }
      }
    }
    for (const [name, more] of Object.entries({ main: {}, usual: { fallback: 'echo' } }))
      writeFileSync(
        join(folder, `${name}.mjs`),
        `import { runNamed } from ${JSON.stringify(RUNNER)}\nrunNamed({ url: import.meta.url, ...${JSON.stringify({ ...room, ...more })} })\n`
      )
  })
  after(() => rmSync(folder, { recursive: true, force: true }))

  const run = (main: string, ...args: string[]) =>
    spawnSync(process.execPath, [join(folder, main), ...args], { encoding: 'utf8' })

  it('lists the names when none is given, or with --help', () => {
    for (const args of [[], ['--help']]) {
      const { status, stdout } = run('main.mjs', ...args)
      assert.equal(status, 0)
      assert.match(stdout, /^Usage: npm run play -- NAME/)
      assert.match(stdout, /^ {2}echo {2}says what it was given$/m)
    }
    assert.match(run('usual.mjs', '--help').stdout, /^ {2}echo {2}says what it was given \(default\)$/m)
  })

  it('passes on arguments and flags of Node.js, and exits with the code of the program', () => {
    const { status, stdout } = run('main.mjs', 'echo', '3', '--json', 'x y')
    assert.equal(status, 3)
    assert.deepEqual(JSON.parse(stdout), [['--expose-gc'], ['--json', 'x y']])
    assert.notEqual(run('main.mjs', 'gone').status, 0)
  })

  it('uses the default when the arguments begin with an option', () => {
    assert.deepEqual(JSON.parse(run('usual.mjs', '-1', '--json').stdout), [['--expose-gc'], ['--json']])
  })

  it('exits with 2 for an unknown name', () => {
    for (const name of ['nonsense', 'toString', '--json']) {
      const { status, stdout, stderr } = run('main.mjs', name)
      assert.deepEqual([status, stdout], [2, ''])
      assert.match(stderr, new RegExp(`^error: unknown name ${name}\\n`))
    }
  })

  for (const room of ['bench', 'lab', 'checks', 'pretrain'])
    it(`finds every program of ${room}`, () => {
      const folder = join(packageRoot(), 'dist', room)
      const files = [...readFileSync(join(folder, 'main.js'), 'utf8').matchAll(/file: '([^']+)'/g)]
      assert(files.length > 0)
      for (const [, file] of files) assert(existsSync(join(folder, file!)), `${room}: ${file}`)
    })
})
