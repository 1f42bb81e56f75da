import { existsSync } from 'node:fs'
import type { Manifest, RoundContext } from '../../protocol/index.ts'
import { withDeadline } from '../network/index.ts'
import type { HeldOutText, MeasuredLoss, MeasuringJob } from '../workers/trainer/training-job.ts'
import type { DriverComponents } from './components.ts'
import { heldOutText, tokensAnUpdate } from './held-out-text.ts'
import { lastNorms } from './norm-bounds.ts'

/**
 * Measures losses on this peer's held-out text: one after the other, in the trainer process, beside training.
 *
 * Every method throws when the signal aborts, the measurement fails or takes longer than `validation.heldOutTimeout`.
 */
export class Measurements {
  readonly #components: DriverComponents
  /** The loss of the model that a round starts from, by the number of tokens. */
  #start: { readonly round: number; readonly losses: Map<number, number> } = { round: 0, losses: new Map() }
  #previous: Promise<unknown> = Promise.resolve()

  constructor(components: DriverComponents) {
    this.#components = components
  }

  /** Looked up every time: a file may appear or disappear. */
  get text(): HeldOutText | undefined {
    const { config, home } = this.#components
    return heldOutText(config, home)
  }

  /** The loss of the model that a round starts from, or of the base model, on as many tokens as the settings allow. */
  async model(context: RoundContext, which: 'start' | 'base', signal: AbortSignal): Promise<MeasuredLoss> {
    const { heldOutTokens } = this.#components.config.validation
    const job = () => {
      const asked = this.#job(context, { shards: [], tokens: heldOutTokens })
      return which === 'base' ? { ...asked, modelFile: undefined, before: undefined } : asked
    }
    const measured = await this.#inTurn(job, signal)
    if (which === 'start') this.#remember(context.round, heldOutTokens, measured.before)
    return measured
  }

  /** The losses without and with an update, which is clipped as the stack is expected to clip it. */
  async update(
    context: RoundContext,
    { shards }: Pick<Manifest, 'shards'>,
    signal: AbortSignal
  ): Promise<MeasuredLoss> {
    const tokens = tokensAnUpdate(this.#components.config.validation.heldOutTokens, context.trainers.length)
    const clip = await this.#clip(context)
    const measured = await this.#inTurn(() => ({ ...this.#job(context, { shards, tokens }), clip }), signal)
    this.#remember(context.round, tokens, measured.before)
    return measured
  }

  #remember(round: number, tokens: number, loss: number): void {
    if (this.#start.round !== round) this.#start = { round, losses: new Map() }
    this.#start.losses.set(tokens, loss)
  }

  #inTurn(job: () => MeasuringJob, signal: AbortSignal): Promise<MeasuredLoss> {
    const { trainer, config } = this.#components
    const result = this.#previous.then(() => {
      signal.throwIfAborted()
      const limit = config.validation.heldOutTimeout * 1_000
      return withDeadline('measuring the held-out loss', limit, signal, (stop) =>
        trainer.measure(job(), stop)
      )
    })
    this.#previous = result.catch(() => undefined)
    return result
  }

  /** The medians to which the stack will clip are known only with its cut: those of the last cut are close. */
  async #clip({ charter, round }: RoundContext): Promise<MeasuringJob['clip']> {
    const { home, log } = this.#components
    return charter.clip === 'median' ? ((await lastNorms(home, round, log)) ?? {}) : {}
  }

  #job(
    { charter, round }: RoundContext,
    { shards, tokens }: Pick<MeasuringJob, 'shards' | 'tokens'>
  ): MeasuringJob {
    const { config, home, rounds } = this.#components
    const { modelFile } = rounds
    const { text } = this
    if (text === undefined) throw new Error('the held-out text is gone')
    if (rounds.head.round !== round || (modelFile !== undefined && !existsSync(modelFile)))
      throw new Error('the model that the round starts from is missing')
    return {
      baseFolder: config.model,
      modelFile,
      modules: charter.base.modules.map(({ module }) => module),
      rankStabilised: charter.rankStabilised,
      training: config.training,
      home: home.folder,
      dtype: charter.dtype,
      shards,
      clip: {},
      text,
      tokens,
      before: this.#start.round === round ? this.#start.losses.get(tokens) : undefined,
      external: config.trainer === undefined ? undefined : { trainer: config.trainer }
    }
  }
}
