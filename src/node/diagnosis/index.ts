/**
 * What `loam doctor` reports about the network: how a peer can be reached, whom it reaches, and what to do.
 *
 * @example
 * ```ts
 * const view = await examineNetwork({ home, config, log })
 * for (const { level, text } of judgeNetwork(view)) console.log(level, text)
 * ```
 */
export { type ClockVerdict, judgeClocks } from './clocks.ts'
export { type ExamineOptions, examineNetwork } from './examine-network.ts'
export { judgeNetwork, type NetworkFinding } from './judge-network.ts'
export { type BootstrapView, type NetworkView, networkView } from './network-view.ts'
