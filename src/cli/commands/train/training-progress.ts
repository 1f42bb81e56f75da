import { printProgress } from '../../terminal/output.ts'

/** Interval of lines when standard error is not a terminal, milliseconds. */
const LINE_INTERVAL_MS = 5_000

/** The values of a progress line. */
export interface ProgressState {
  readonly step: number
  readonly steps: number
  readonly loss: number
  readonly tokensPerSecond: number
  readonly secondsLeft: number
}

/** Shows progress on standard error: one line that is overwritten on a terminal, otherwise a line from time to time. */
export interface ProgressLine {
  show(state: ProgressState): void
  /** Prints a separate line, which stays. */
  note(line: string): void
  end(): void
}

/** `step 12/100  loss 3.1234  5,120 tokens/s  ETA 0:35` */
export function progressText({ step, steps, loss, tokensPerSecond, secondsLeft }: ProgressState): string {
  const width = String(steps).length
  const seconds = Math.round(secondsLeft)
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60]
  const clock = [
    ...(hours > 0 ? [hours, String(minutes).padStart(2, '0')] : [minutes]),
    String(seconds % 60).padStart(2, '0')
  ]
  const speed = Math.round(tokensPerSecond).toLocaleString('en-US')
  return `step ${String(step).padStart(width)}/${steps}  loss ${loss.toFixed(4)}  ${speed} tokens/s  ETA ${clock.join(':')}`
}

/** @param now current time, milliseconds */
export function createProgressLine(now: () => number = Date.now): ProgressLine {
  const terminal = process.stderr.isTTY === true
  let shown = false
  let last = Number.NEGATIVE_INFINITY
  const clear = (): void => {
    if (shown) process.stderr.write('\r\u001b[2K')
    shown = false
  }
  return {
    show(state) {
      if (terminal) {
        clear()
        process.stderr.write(progressText(state))
        shown = true
      } else if (state.step === state.steps || now() - last >= LINE_INTERVAL_MS) {
        last = now()
        printProgress(progressText(state))
      }
    },
    note(line) {
      clear()
      printProgress(line)
    },
    end() {
      if (shown) process.stderr.write('\n')
      shown = false
    }
  }
}
