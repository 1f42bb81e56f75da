/**
 * The control API of a running peer, over HTTP on 127.0.0.1 or a unix socket, and its client.
 *
 * @example
 * ```ts
 * const control = await connectControl(homeAt('/srv/loam'))
 * const status = await control.get<StatusView>('/v1/status')
 * for await (const { type, data } of control.events('/v1/events?types=sealed', signal)) console.log(type, data)
 * ```
 */
export type { RoundEvaluation } from '../home/evaluation-file.ts'
export { type ControlClient, type ControlEvent, connectControl } from './client.ts'
export { type ControlApi, startControlApi } from './control-api.ts'
export { Observer } from './observer.ts'
export type { StoppedHome, StoppedView } from './stopped-home.ts'
export type { PeerView, Readiness, RoundView, StatusView } from './views.ts'
