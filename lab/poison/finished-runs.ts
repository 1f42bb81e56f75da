import { appendFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import type { PoisonAttack } from './poison-attacks.ts'
import type { PoisonDefence } from './poison-defences.ts'

/** Everything that determines a run. */
export interface RunKey {
  /** Folder of the base model; empty for the one that Loam ships. */
  readonly model: string
  readonly training: string
  readonly members: number
  readonly poisoners: number
  readonly rounds: number
  readonly seed: number
  readonly attack: PoisonAttack
  readonly defence: PoisonDefence
  /** Margin of the held-out check; 0 without it. */
  readonly margin: number
}

/** A run and its result: means over the honest members' domains, nats per token. */
export interface FinishedRun extends RunKey {
  readonly loss: number
  readonly baseLoss: number
  /** Number of poisoned updates that were stacked, and of honest updates that were not. */
  readonly poisonStacked: number
  readonly honestLeftOut: number
}

/** Finished runs on disk, one line each. A loss that is not finite is kept as null. */
export class FinishedRuns {
  readonly #path: string
  readonly #runs = new Map<string, FinishedRun>()

  constructor(path: string) {
    this.#path = path
    mkdirSync(dirname(path), { recursive: true })
    if (!existsSync(path)) return
    const text = readFileSync(path, 'utf8')
    // A line truncated by a crash would merge with the next one.
    const whole = text.slice(0, text.lastIndexOf('\n') + 1)
    if (whole.length < text.length) writeFileSync(path, whole)
    for (const line of whole.split('\n').slice(0, -1)) {
      const run = JSON.parse(line) as FinishedRun & { readonly loss: number | null }
      this.#runs.set(keyOf(run), { ...run, loss: run.loss ?? Number.NaN })
    }
  }

  get all(): readonly FinishedRun[] {
    return [...this.#runs.values()]
  }

  find(key: RunKey): FinishedRun | undefined {
    return this.#runs.get(keyOf(key))
  }

  /** The run with this key, from the file or executed now. */
  async once(key: RunKey, make: () => Promise<Omit<FinishedRun, keyof RunKey>>): Promise<FinishedRun> {
    const known = this.find(key)
    if (known !== undefined) return known
    const run = { ...key, ...(await make()) }
    this.#runs.set(keyOf(key), run)
    appendFileSync(this.#path, `${JSON.stringify(run)}\n`)
    return run
  }
}

function keyOf(key: RunKey): string {
  const { model, training, members, poisoners, rounds, seed, attack, defence, margin } = key
  return JSON.stringify([model, training, members, poisoners, rounds, seed, attack, defence, margin])
}
