import type { Libp2p } from '@libp2p/interface'
import type { Internals } from '../core/libp2p-parts.ts'

/**
 * Has the public addresses that are listened on announced. libp2p holds them back until AutoNAT has asked at least four
 * peers in other networks, which a small consortium never has; should AutoNAT find later that nobody can dial one, it is
 * taken back.
 */
export function announcePublicListeners(libp2p: Libp2p, addressManager: Internals['addressManager']): void {
  libp2p.addEventListener('transport:listening', ({ detail }) => {
    for (const address of detail.getAddrs())
      addressManager.confirmObservedAddr(address, { type: 'transport' })
  })
}
