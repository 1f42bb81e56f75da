const { relative } = require('node:path')
const { reporters, Runner } = require('mocha')

const { EVENT_HOOK_END, EVENT_TEST_END } = Runner.constants

/** Spec files whose durations are printed at the end. */
const SLOWEST = 15

/**
 * The spec reporter with the slowest spec files, and one plain line at its very end that any tool can read. It runs in
 * the main process of `mocha --parallel` as well, which hands on what the workers report.
 */
class SummaryReporter extends reporters.Spec {
  #milliseconds = new Map()

  constructor(runner, options) {
    super(runner, options)
    const add = ({ file, duration }) => {
      if (file !== undefined && duration !== undefined)
        this.#milliseconds.set(file, (this.#milliseconds.get(file) ?? 0) + duration)
    }
    runner.on(EVENT_TEST_END, add)
    // Hooks start networks and train models: that is time of the file, too.
    runner.on(EVENT_HOOK_END, add)
  }

  epilogue() {
    super.epilogue()
    const slowest = [...this.#milliseconds].sort(([, left], [, right]) => right - left).slice(0, SLOWEST)
    const lines = slowest.map(
      ([file, milliseconds]) =>
        `${(milliseconds / 1000).toFixed(1).padStart(7)} s  ${relative(process.cwd(), file)}`
    )
    process.stdout.write(`Slowest spec files:\n${lines.join('\n')}\n\n`)
    const { passes, failures, pending } = this.stats
    const skipped = pending > 0 ? `, ${pending} skipped` : ''
    process.stdout.write(`${passes} passed, ${failures} failed${skipped}\n`)
  }
}

module.exports = SummaryReporter
