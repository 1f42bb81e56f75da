const { reporters } = require('mocha')

/** The spec reporter with one plain line at its very end that any tool can read. */
class SummaryReporter extends reporters.Spec {
  epilogue() {
    super.epilogue()
    const { passes, failures, pending } = this.stats
    const skipped = pending > 0 ? `, ${pending} skipped` : ''
    process.stdout.write(`${passes} passed, ${failures} failed${skipped}\n`)
  }
}

module.exports = SummaryReporter
