import { PeerError } from '../../storage/peer-error.ts'

/**
 * The service that asks a router to forward ports. Its package is an optional dependency, loaded on demand.
 *
 * @throws {PeerError} when the package is not installed
 */
export async function loadUpnp(): Promise<typeof import('@libp2p/upnp-nat').uPnPNAT> {
  try {
    return (await import('@libp2p/upnp-nat')).uPnPNAT
  } catch (cause) {
    throw new PeerError(
      'UPnP needs the optional package @libp2p/upnp-nat: install Loam without --omit=optional, or leave UPnP off',
      { cause }
    )
  }
}
