import { spawn } from 'node:child_process'
import { once } from 'node:events'
import type { LabHost } from '../../../lab/network-lab/namespaces.ts'
import { runJson } from '../../support/run-json.ts'

/** One bare TCP stream between two hosts of the lab, with no other traffic on the line. */
export interface TcpResult {
  readonly megabitsPerSecond: number
  readonly seconds: number
}

const PORT = 4002

const SENDER = `
const chunk = Buffer.alloc(65536)
require('node:net').createServer((socket) => {
  const send = () => { while (socket.write(chunk)); }
  socket.on('drain', send).on('error', () => process.exit())
  send()
}).listen(${PORT}, process.argv[1], () => console.log('ready'))
`

const RECEIVER = `
let bytes = 0, began
require('node:net').connect(${PORT}, process.argv[1])
  .on('connect', () => {
    began = performance.now()
    setTimeout(() => {
      const seconds = (performance.now() - began) / 1e3
      console.log(JSON.stringify({ megabitsPerSecond: (8 * bytes) / 1e6 / seconds, seconds }))
      process.exit()
    }, 1000 * process.argv[2])
  })
  .on('data', (data) => { bytes += data.length })
`

/** Lets one host send to another over one TCP stream for some seconds, and returns the rate. */
export async function measureTcp(sender: LabHost, receiver: LabHost, seconds: number): Promise<TcpResult> {
  const [command, ...prefix] = [...sender.prefix, process.execPath, '-e', SENDER, sender.address]
  const sending = spawn(command!, prefix, { stdio: ['ignore', 'pipe', 'inherit'] })
  const ended = once(sending, 'exit')
  try {
    await Promise.race([
      once(sending.stdout, 'data'),
      ended.then(() => Promise.reject(new Error('the sender ended')))
    ])
    const [program, ...args] = [...receiver.prefix, process.execPath, '-e', RECEIVER]
    return (await runJson(program!, [...args, sender.address, String(seconds)])) as TcpResult
  } finally {
    sending.kill()
    await ended
  }
}
