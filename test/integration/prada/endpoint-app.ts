import type { AddressInfo } from 'node:net'
import { CHAT_TEMPLATES, createChatTemplate } from '../../../src/model/index.ts'
import {
  createEndpoint,
  createLocalSource,
  createPradaSource,
  type Endpoint,
  type EndpointOptions,
  type SourceDescription,
  type TextSource
} from '../../../src/prada/endpoint/index.ts'
import { createDecoderModel } from '../../../src/prada/models/index.ts'
import type { Remote } from '../../../src/prada/remotes/index.ts'
import { DEFAULT_PRADA_SETTINGS, type PradaSettings, pairProxy } from '../../../src/prada/session/index.ts'
import { base, proxyModels, vocabulary } from './real-models.ts'

/** The shipped model's tokenizer, with a chat template added. */
export function describeSource(name: string): SourceDescription {
  return {
    name,
    fingerprint: `fp_${name}`,
    tokenizer: base.tokenizer,
    tokens: vocabulary.tokens,
    renderChat: createChatTemplate(CHAT_TEMPLATES.chatml!),
    stopIds: base.generation.stopIds
  }
}

/** The shipped model. */
export function localSource(name = 'local'): TextSource {
  return createLocalSource(createDecoderModel(base), describeSource(name))
}

/** The shipped model with an adapter as the proxy of a remote. */
export function pradaSource(
  remote: Remote,
  settings: Partial<PradaSettings> = {},
  name = 'prada'
): TextSource {
  const proxy = proxyModels(3)
  return createPradaSource({
    components: pairProxy(proxy, vocabulary, remote),
    vocabulary,
    settings: { ...DEFAULT_PRADA_SETTINGS, ...settings },
    description: describeSource(name),
    dispose: async () => {
      await proxy.base.dispose()
      await proxy.adapted.dispose()
    }
  })
}

/** An endpoint that listens on this machine. */
export interface EndpointApp {
  readonly endpoint: Endpoint
  readonly url: string
  readonly failures: Error[]
  close(graceMs?: number): Promise<void>
}

export async function listenEndpoint(
  source: TextSource | undefined,
  options: Partial<EndpointOptions> = {}
): Promise<EndpointApp> {
  const failures: Error[] = []
  const endpoint = createEndpoint({ version: 'test', onFailure: (error) => failures.push(error), ...options })
  await endpoint.app.listen({ host: '127.0.0.1', port: 0 })
  if (source !== undefined) endpoint.use(source)
  const { port } = endpoint.app.server.address() as AddressInfo
  return { endpoint, url: `http://127.0.0.1:${port}`, failures, close: (graceMs) => endpoint.close(graceMs) }
}
