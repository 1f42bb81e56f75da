import type { AddressInfo } from 'node:net'
import Fastify from 'fastify'
import { addLogitsRoutes, type LogitsService } from '../../../src/prada/server/index.ts'

/** A logits server that listens on this machine. */
export interface LogitsApp {
  readonly url: string
  close(): Promise<void>
}

export async function listen(service: LogitsService): Promise<LogitsApp> {
  const app = Fastify({ forceCloseConnections: true })
  addLogitsRoutes(app, service, (request) => request.ip)
  await app.listen({ host: '127.0.0.1', port: 0 })
  const { port } = app.server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}`,
    async close() {
      await app.close()
      await service.dispose()
    }
  }
}
