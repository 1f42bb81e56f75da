/**
 * Loam's own logits server: sessions with a cache of keys and values, answers that tell of distributions in few bytes.
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
