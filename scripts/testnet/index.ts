/**
 * A whole Loam network on one machine, as a library: `loam testnet` and the end-to-end tests use it.
 *
 * @example
 * const prepared = await prepareTestnet(options, console.error)
 * const run = new NetworkRun(prepared)
 * await run.start()
 * await run.untilSealed(2)
 * await run.stop()
 */
export { NetworkRun, type PeerView } from './network-run.ts'
export { PEERS_MAX, SHORT_TRAINING, TESTNET_DEFAULTS, type TestnetOptions } from './options.ts'
export { type PreparedPeer, type PreparedTestnet, prepareTestnet } from './prepare-homes.ts'
export { hasAgreed, renderReport, reportRounds, type TestnetReport } from './report.ts'
export { runTestnet } from './testnet.ts'
