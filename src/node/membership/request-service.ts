import type { DriverComponents } from '../driver/components.ts'
import type { RoundDriver } from '../driver/round-driver.ts'
import { messageOf } from '../storage/peer-error.ts'
import { loadWishes } from './request-files.ts'

const INTERVAL_MS = 2_000

/** Rule 11 *Membership*: takes what the operator wants from the home's folder of wishes (`loam members`). */
export class WishService {
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
      const wishes = await loadWishes(home, this.#charterId, (reason) => log.debug({ reason }, 'no wish'))
      for (const [name, wish] of wishes) {
        if (this.#taken.has(name) || this.#stopped) continue
        this.#taken.add(name)
        log.info({ type: wish.request.type, request: name }, 'a membership request is supported from now on')
        this.#driver.happen({ type: 'wish', wish })
      }
    } catch (error) {
      log.warn({ error: messageOf(error) }, 'the folder of wishes cannot be read')
    }
    if (this.#stopped) return
    this.#timer = setTimeout(() => {
      this.#running = this.#look()
    }, INTERVAL_MS)
  }
}
