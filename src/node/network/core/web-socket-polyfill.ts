import { WebSocket as WebSocketOfPackage } from 'ws'

/** libp2p dials with the global WebSocket, which Node.js has since version 22. */
if (globalThis.WebSocket === undefined)
  Object.defineProperty(globalThis, 'WebSocket', {
    value: WebSocketOfPackage,
    configurable: true,
    writable: true
  })
