/**
 * Loam: LoRA over a mesh. Exports all rooms; each is also available separately (`loam-net/adapter`, …).
 *
 * @example
 * import { adapter, node } from 'loam-net'
 * const peer = await node.startPeer({ home: node.homeAt('/srv/loam'), config, logs, report: console.log })
 */
export * as adapter from './adapter/index.ts'
export * as data from './data/index.ts'
export * as formats from './formats/index.ts'
export * as model from './model/index.ts'
export * as node from './node/index.ts'
export * as prada from './prada/index.ts'
export * as protocol from './protocol/index.ts'
