import type { Libp2p } from '@libp2p/interface'
import type { Internals } from '../core/libp2p-parts.ts'

/**
 * Announces the public addresses that the host listens on. libp2p withholds them until AutoNAT has asked at least four
 * peers in other networks, which a small consortium does not have. If AutoNAT later finds an address undialable, it is
 * withdrawn.
 */
export function announcePublicListeners(libp2p: Libp2p, addressManager: Internals['addressManager']): void {
  libp2p.addEventListener('transport:listening', ({ detail }) => {
    for (const address of detail.getAddrs())
      addressManager.confirmObservedAddr(address, { type: 'transport' })
  })
}
