import type { DriverComponents } from '../driver/components.ts'
import type { RoundDriver } from '../driver/round-driver.ts'
import { loadRequests } from '../membership/request-files.ts'
import { messageOf } from '../storage/peer-error.ts'

const INTERVAL_MS = 2_000

/** Rule 11 *Membership*: reads the requests that the operator supports from the home (`loam members`). */
export class RequestService {
  readonly #components: DriverComponents
  readonly #driver: RoundDriver
  readonly #charterId: Uint8Array
  readonly #taken = new Set<string>()
  #timer: NodeJS.Timeout | undefined
  #stopped = false
  #running: Promise<void> | undefined

  constructor(components: DriverComponents, driver: RoundDriver, charterId: Uint8Array) {
    this.#components = components
    this.#driver = driver
    this.#charterId = charterId
  }

  start(): void {
    this.#running = this.#look()
  }

  async stop(): Promise<void> {
    this.#stopped = true
    clearTimeout(this.#timer)
    await this.#running
  }

  async #look(): Promise<void> {
    const { home, log } = this.#components
    try {
      const requests = await loadRequests(home, this.#charterId, (reason) =>
        log.debug({ reason }, 'no signedRequest')
      )
      for (const [name, signedRequest] of requests) {
        if (this.#taken.has(name) || this.#stopped) continue
        this.#taken.add(name)
        log.info({ type: signedRequest.request.type, request: name }, 'supporting a membership request')
        this.#driver.happen({ type: 'membershipRequest', signedRequest })
      }
    } catch (error) {
      log.warn({ error: messageOf(error) }, 'the folder of membership requests cannot be read')
    }
    if (this.#stopped) return
    this.#timer = setTimeout(() => {
      this.#running = this.#look()
    }, INTERVAL_MS)
  }
}
