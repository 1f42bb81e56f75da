/** Payload bytes of one protocol. */
export interface Traffic {
  readonly received: number
  readonly sent: number
}

/** Counts payload bytes by protocol: contents of messages and blocks, without framing, encryption or duplicates. */
export class TrafficMeter {
  readonly #totals = new Map<string, { received: number; sent: number }>()

  add(protocol: string, direction: keyof Traffic, bytes: number): void {
    const totals = this.#totals.get(protocol) ?? { received: 0, sent: 0 }
    totals[direction] += bytes
    this.#totals.set(protocol, totals)
  }

  /** Totals since the start, by protocol. */
  totals(): Map<string, Traffic> {
    return new Map([...this.#totals].map(([protocol, totals]) => [protocol, { ...totals }]))
  }
}
