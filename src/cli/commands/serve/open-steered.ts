import type { ProxyModels } from '../../../node/proxy/index.ts'
import { messageOf } from '../../../node/storage/peer-error.ts'
import {
  createPradaSource,
  DEFAULT_PRADA_SETTINGS,
  type Endpoint,
  type TextSource
} from '../../../prada/index.ts'
import {
  componentsOf,
  disposeModels,
  noteUnused,
  type OpenProxy,
  openProxyOf,
  openRemoteOf,
  settingsFor
} from '../../options/open-prada.ts'
import { pradaSettings } from '../../options/prada-options.ts'
import { printProgress } from '../../terminal/output.ts'
import { describeSource } from './describe-source.ts'
import type { Served } from './run-serve.ts'
import type { ServeFlags } from './serve.ts'

/** How often a home is checked for a new seal, milliseconds. */
const LOOK_MS = 2_000

/** Connects a proxy to a remote, generates texts from both, and follows the consortium's seals. */
export async function openSteered(flags: ServeFlags, endpoint: Endpoint): Promise<Served> {
  const told = flags.topK
  const asked = pradaSettings({ ...flags, ...(told !== undefined && { told }) }, DEFAULT_PRADA_SETTINGS)
  const proxy = await openProxyOf(flags)
  noteUnused(proxy.files.generation)
  const { remote, reconnect, dispose } = await openRemoteOf(flags, proxy.files)
  const settings = settingsFor(asked, { ...flags, ...(told !== undefined && { told }) }, remote)
  const name = flags.name ?? `${remote.name}+${proxy.name}`
  const sourceOf = (models: ProxyModels): TextSource =>
    createPradaSource({
      components: componentsOf({ ...proxy, models }, remote),
      vocabulary: proxy.files.vocabulary,
      settings,
      description: describeSource(proxy.files, name, models.digest, remote.name, settings.alpha),
      reconnect,
      dispose: () => models.adapted.dispose()
    })
  const use = (models: ProxyModels): void => {
    endpoint.use(sourceOf(models))
    endpoint.metrics.sealedRound(models.round)
  }
  use(proxy.models)
  const stopLooking = followSeals(proxy, use)
  return {
    name,
    about: [`${remote.name} at ${flags.remote} is steered by ${proxy.name}${roundText(proxy)}`],
    async stop() {
      await stopLooking()
      await disposeModels(proxy.models)
      dispose()
    }
  }
}

function roundText({ sealed, models }: OpenProxy): string {
  if (sealed === undefined) return ''
  return models.round === 0
    ? ', which has sealed nothing yet: the remote answers unchanged'
    : `, round ${models.round}`
}

/** Checks for seals until it is stopped. */
function followSeals({ sealed }: OpenProxy, use: (models: ProxyModels) => void): () => Promise<void> {
  if (sealed === undefined) return async () => undefined
  let looking: Promise<void> | undefined
  let said = ''
  const look = async (): Promise<void> => {
    try {
      const models = await sealed.lookForSeal()
      if (models === undefined) return
      use(models)
      printProgress(`round ${models.round} is sealed, and steers the remote from now on`)
    } catch (error) {
      // A model is written after its seal arrives: the next check finds it. A lasting failure is reported once.
      const message = messageOf(error)
      if (message !== said) printProgress(`note: ${message}; the previous adapter stays in use`)
      said = message
    }
  }
  const timer = setInterval(() => {
    looking ??= look().finally(() => {
      looking = undefined
    })
  }, LOOK_MS)
  return async () => {
    clearInterval(timer)
    await looking
  }
}
