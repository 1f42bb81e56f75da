const { readFileSync } = require('node:fs')
const { reporters, Runner } = require('mocha')

/** How long a process may take to end once its tests have, milliseconds, before it tells what keeps it. */
const END_MS = 10_000

const { EVENT_HOOK_END, EVENT_RUN_END, EVENT_TEST_END } = Runner.constants

/** The spec reporter, which tells a parent process at the end what was counted, and how long each spec file took. */
class SummaryReporter extends reporters.Spec {
  constructor(runner, options) {
    super(runner, options)
    const milliseconds = {}
    const add = ({ file, duration }) => {
      if (file !== undefined && duration !== undefined)
        milliseconds[file] = (milliseconds[file] ?? 0) + duration
    }
    runner.on(EVENT_TEST_END, add)
    // Hooks start networks and train models: that is time of the file, too.
    runner.on(EVENT_HOOK_END, add)
    runner.once(EVENT_RUN_END, () => {
      const { passes: passed, failures: failed, pending: skipped } = this.stats
      if (!process.connected) return
      process.send({ passed, failed, skipped, milliseconds, processorMs: processorMs() })
      setTimeout(tellWhatIsLeft, END_MS).unref()
    })
  }
}

/** Processor time of this process and of those that it started and that ended, milliseconds, where the system says. */
function processorMs() {
  try {
    // Behind the name in parentheses: fields 3 to 52 of proc(5), of which 14 to 17 count hundredths of a second.
    const fields = readFileSync('/proc/self/stat', 'utf8').split(') ').at(-1).split(' ')
    return 10 * fields.slice(11, 15).reduce((sum, ticks) => sum + Number(ticks), 0)
  } catch {
    return undefined
  }
}

async function tellWhatIsLeft() {
  const { leftOpen } = await import('../../dist/test/support/left-open.js')
  process.send({ leftOpen: leftOpen() })
}

module.exports = SummaryReporter
