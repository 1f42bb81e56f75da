/**
 * Client of a running peer's control API, and the types of its answers.
 *
 * @example
 * ```ts
 * import { connectControl, homeAt, type StatusView } from 'loam-net/control'
 *
 * const control = await connectControl(homeAt('/srv/loam'))
 * const { round, phase } = await control.get<StatusView>('/v1/status')
 * for await (const { type, data } of control.events('/v1/events?types=sealed', signal)) console.log(type, data)
 * ```
 */
export { type ControlClient, type ControlEvent, connectControl } from './node/control/client.ts'
export type { PeerView, Readiness, RoundView, StatusView } from './node/control/views.ts'
export { type Home, homeAt } from './node/home/home.ts'
export { PeerError } from './node/storage/peer-error.ts'
