import type { WantedBlock } from '../../../src/node/network/index.ts'

/** Blocks that one peer publishes. */
export interface Publication {
  readonly peerId: string
  readonly wanted: readonly WantedBlock[]
}

/** A command to a peer process. */
export type Order =
  | { readonly type: 'make'; readonly blocks: number; readonly blockBytes: number }
  | { readonly type: 'connect'; readonly addresses: readonly string[]; readonly peers: number }
  | { readonly type: 'fetch'; readonly from: readonly Publication[] }
  | { readonly type: 'read'; readonly from: string; readonly bytes: number }
  | { readonly type: 'gossip'; readonly messages: number; readonly messageBytes: number; readonly ms: number }
  | { readonly type: 'report' }
  | { readonly type: 'stop' }

/** A peer process's answer. */
export type Done =
  | { readonly type: 'started'; readonly peerId: string; readonly addresses: readonly string[] }
  | { readonly type: 'made'; readonly publication: Publication }
  | { readonly type: 'connected' }
  | { readonly type: 'fetched'; readonly ms: number }
  | { readonly type: 'read'; readonly ms: number }
  | { readonly type: 'gossiped' }
  | {
      readonly type: 'report'
      /** Payload of blocks, bytes. */
      readonly received: number
      readonly sent: number
      /** The part of it that this peer published. */
      readonly sentOwn: number
      /** Gossiped messages heard, repetitions left out. */
      readonly heard: number
      readonly peakRssMB: number
      /** Processor time of the process so far, including its threads and the kernel's work for it. */
      readonly cpuMs: number
    }
  | { readonly type: 'stopped' }
  | { readonly type: 'failed'; readonly reason: string }
