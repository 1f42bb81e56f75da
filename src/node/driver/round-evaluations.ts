import { existsSync } from 'node:fs'
import type { Manifest, RoundContext } from '../../protocol/index.ts'
import { type RoundEvaluation, readEvaluation, saveEvaluation } from '../home/evaluation-file.ts'
import type { HeldOutReport } from '../home/peer-report.ts'
import { messageOf } from '../storage/peer-error.ts'
import type { DriverComponents } from './components.ts'
import { heldOutKey } from './held-out-text.ts'
import type { Measurements } from './measurements.ts'

/** Rounds back in which the base model's loss is looked up. */
const BASE_ROUNDS_BACK = 64

/**
 * What a peer learns about its model on its held-out text: once the base model, every round the model that it starts
 * from, the peer's own update alone, and each received one. Written to the round's folder as it becomes known, and
 * reported; nothing waits for it, except a first training for the base model's loss where that is unknown.
 */
export class RoundEvaluations {
  readonly #components: DriverComponents
  readonly #measurements: Measurements
  #stop = new AbortController()
  #evaluation: RoundEvaluation | undefined
  #base: Pick<RoundEvaluation, 'text' | 'base'> | undefined
  #begun: Promise<void> = Promise.resolve()
  #written: Promise<void> = Promise.resolve()
  #fault: string | undefined

  constructor(components: DriverComponents, measurements: Measurements) {
    this.#components = components
    this.#measurements = measurements
  }

  /** Starts a round: ends the measurements of the one before. */
  begin(context: RoundContext): void {
    this.#stop.abort()
    this.#stop = new AbortController()
    this.#evaluation = undefined
    const { signal } = this.#stop
    this.#begun = this.#measured(context.round, signal, () => this.#measureModels(context, signal))
  }

  /** Resolves when nothing needs the base model's own weights any more. */
  get baseMeasured(): Promise<void> {
    return this.#components.rounds.modelFile === undefined || this.#base !== undefined
      ? Promise.resolve()
      : this.#begun
  }

  /** Measures this peer's own update alone. */
  own(context: RoundContext, manifest: Manifest): void {
    const { signal } = this.#stop
    void this.#begun.then(() =>
      this.#measured(context.round, signal, async () => {
        // The model may have been fetched after the round began.
        if (this.#evaluation === undefined) await this.#measureModels(context, signal)
        if (this.#evaluation === undefined) return
        const { after } = await this.#measurements.update(context, manifest, signal)
        await this.#note({ own: finite(after) })
      })
    )
  }

  /** Records what the held-out check measured of a received update. */
  received({ round, peerId, before, after, isRefused }: HeldOutReport): void {
    void this.#begun.then(async () => {
      if (this.#evaluation?.round !== round) return
      const others = this.#evaluation.updates.filter((update) => update.peerId !== peerId)
      const update = { peerId, before, after, isRefused }
      // JSON has no infinity: an update that breaks the model is refused, and was logged.
      if (Number.isFinite(after)) await this.#note({ updates: [...others, update] })
    })
  }

  async stop(): Promise<void> {
    this.#stop.abort()
    await this.#written
  }

  async #measureModels(context: RoundContext, signal: AbortSignal): Promise<void> {
    const { home, config, rounds } = this.#components
    const held = this.#measurements.text
    const isModelHere = rounds.modelFile === undefined || existsSync(rounds.modelFile)
    if (held === undefined || !isModelHere) return
    const { round } = context
    const tokens = config.validation.heldOutTokens
    const text = await heldOutKey(held, tokens)
    if (this.#base?.text !== text) this.#base = await knownBase(home, round, text)
    // Before any training, which needs the round's weights in place of the base's.
    const base =
      this.#base?.base ??
      (rounds.modelFile === undefined
        ? undefined
        : (await this.#measurements.model(context, 'base', signal)).before)
    const start = await this.#measurements.model(context, 'start', signal)
    this.#base = { text, base: finite(base ?? start.before) }
    const measured = { tokens: start.targets, base: this.#base.base, start: finite(start.before) }
    this.#evaluation = { version: 1, round, text, ...measured, own: null, updates: [] }
    await this.#note({})
  }

  /** Adds to the round's evaluation, on disk and in reports. */
  async #note(more: Partial<RoundEvaluation>): Promise<void> {
    const { home, report } = this.#components
    const evaluation = { ...this.#evaluation!, ...more }
    this.#evaluation = evaluation
    report({ type: 'evaluation', ...evaluation })
    this.#written = this.#written
      .then(() => saveEvaluation(home, evaluation))
      .catch((error) => this.#noteFault(evaluation.round, messageOf(error)))
    await this.#written
  }

  /** Never rejects: the round goes on without what could not be measured. */
  async #measured(round: number, signal: AbortSignal, work: () => Promise<void>): Promise<void> {
    try {
      await work()
      this.#fault = undefined
    } catch (error) {
      if (!signal.aborted) this.#noteFault(round, messageOf(error))
    }
  }

  #noteFault(round: number, error: string): void {
    const { log } = this.#components
    const level = error === this.#fault ? 'debug' : 'warn'
    log[level]({ round, error }, 'the model could not be evaluated on the held-out text')
    this.#fault = error
  }
}

/** The base model's loss on a text, as far as an earlier round has it. */
async function knownBase(
  home: DriverComponents['home'],
  round: number,
  text: string
): Promise<Pick<RoundEvaluation, 'text' | 'base'> | undefined> {
  for (let earlier = round; earlier > 0 && earlier > round - BASE_ROUNDS_BACK; earlier--) {
    const found = await readEvaluation(home, earlier)
    if (found?.text === text && found.base !== null) return found
  }
  return undefined
}

function finite(loss: number): number | null {
  return Number.isFinite(loss) ? loss : null
}
