import type { FastifyInstance, FastifyRequest } from 'fastify'
import { addLogitsRoutes, type LogitsLimits, type LogitsService, ServiceError } from '../../../prada/index.ts'

/** Pause between attempts while the model is loading, milliseconds. */
const LOADING_MS = 2_000

/** A logits server whose model is loaded after the server starts to listen. */
export interface LateLogits {
  readonly limits: LogitsLimits
  readonly addRoutes: (app: FastifyInstance, clientOf: (request: FastifyRequest) => string) => void
  readonly load: () => LogitsService['load'] | undefined
  begin(service: LogitsService): void
}

export function createLateLogits(limits: LogitsLimits): LateLogits {
  let service: LogitsService | undefined
  const loaded = (): LogitsService => {
    if (service !== undefined) return service
    throw new ServiceError('full', 'the model is still loading', LOADING_MS)
  }
  const late: LogitsService = {
    limits,
    get description() {
      return loaded().description
    },
    get vocabulary() {
      return loaded().vocabulary
    },
    get load() {
      return loaded().load
    },
    open: (client, size) => loaded().open(client, size),
    verify: (client, request, signal) => loaded().verify(client, request, signal),
    close: (client, session) => loaded().close(client, session),
    sweep: () => service?.sweep(),
    dispose: async () => service?.dispose()
  }
  return {
    limits,
    addRoutes: (app, clientOf) => addLogitsRoutes(app, late, clientOf),
    load: () => service?.load,
    begin(begun) {
      service = begun
    }
  }
}
