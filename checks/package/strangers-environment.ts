import { execFile } from 'node:child_process'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'

/** Settings for reaching the registry: the only settings of this machine's npm that a new user's npm gets. */
const NETWORK_SETTINGS = ['registry', 'proxy', 'https-proxy', 'noproxy', 'cafile', 'strict-ssl']

/**
 * The environment of a user with npm's default settings: an empty home folder and cache, and, of this machine's npm
 * settings, only those for reaching the registry.
 *
 * @param folder where home folder, settings and cache are made; must exist
 */
export async function strangersEnvironment(folder: string): Promise<NodeJS.ProcessEnv> {
  const home = join(folder, 'home')
  await mkdir(home)
  const userConfig = join(home, '.npmrc')
  await writeFile(userConfig, await networkSettings(folder))
  // `npm run` hands its settings, ignore-scripts among them, to its children as variables.
  const kept = Object.entries(process.env).filter(
    ([name]) => !/^npm_/i.test(name) && !/^(?:INIT_CWD|LOAM_\w+|NODE_ENV|NODE_OPTIONS)$/.test(name)
  )
  return {
    ...Object.fromEntries(kept),
    HOME: home,
    npm_config_userconfig: userConfig,
    npm_config_globalconfig: join(home, 'no-global-npmrc'),
    npm_config_cache: join(folder, 'cache'),
    npm_config_update_notifier: 'false'
  }
}

async function networkSettings(folder: string): Promise<string> {
  let lines = ''
  for (const name of NETWORK_SETTINGS) {
    // Outside the clone, so that its .npmrc does not apply.
    const { stdout } = await promisify(execFile)('npm', ['config', 'get', name], { cwd: folder })
    const value = stdout.trim()
    if (value !== '' && value !== 'null' && value !== 'undefined') lines += `${name}=${value}\n`
  }
  return lines
}
