import { WebSocket as WebSocketOfPackage } from 'ws'

/** libp2p dials WebSockets with the global one, which Node.js has from version 22 on. */
if (globalThis.WebSocket === undefined)
  Object.defineProperty(globalThis, 'WebSocket', {
    value: WebSocketOfPackage,
    configurable: true,
    writable: true
  })
