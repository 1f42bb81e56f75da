/**
 * Loam's own logits server: sessions with a key-value cache, and compact answers about distributions.
 *
 * @example
 * ```ts
 * const service = createLogitsService({ name, model, digest, vocabulary }, DEFAULT_LOGITS_LIMITS)
 * addLogitsRoutes(app, service, (request) => request.ip)
 * ```
 */
export { DEFAULT_LOGITS_LIMITS, type LogitsLimits } from './limits.ts'
export { addLogitsRoutes } from './logits-routes.ts'
export {
  createLogitsService,
  type LogitsService,
  type ModelDescription,
  type ServedModel
} from './logits-service.ts'
export { ServiceError, type ServiceFault } from './service-error.ts'
