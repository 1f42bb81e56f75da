/** The outcome of a `loam` command on a case. */
export interface Outcome {
  readonly code: number
  /** The last line of standard output, if it is a JSON object. */
  readonly json: Readonly<Record<string, unknown>> | undefined
  readonly stdout: string
  readonly stderr: string
}

/** The expectation by which an outcome is judged. */
export interface Expectation {
  /** The expected outcome as shown in the table. */
  readonly right: string
  /** `first` is the outcome of the command that runs before. */
  readonly fits: (outcome: Outcome, first?: Outcome) => boolean
}

/** One command on one input from outside. */
export interface Case {
  readonly name: string
  /** Arguments of `loam`; `{cases}` and `{out}` stand for the folder of the cases and for an empty one. */
  readonly command: string
  readonly expectation: Expectation
  /** A command that runs before, with the same placeholders. */
  readonly before?: string
  /** A file that replaces the output of `command` as the outcome's JSON. */
  readonly file?: string
}

/** Tolerance, nats per token. */
const TOLERANCE = 5e-5

/** The score of a text. */
export function nats(value: number): Expectation {
  return {
    right: value.toFixed(4),
    fits: ({ code, json }) => code === 0 && Math.abs(Number(json?.nats) - value) < TOLERANCE
  }
}

/** An accuracy. */
export function accuracy(value: number): Expectation {
  return {
    right: `acc ${value.toFixed(2)}`,
    fits: ({ code, json }) => code === 0 && Math.abs(Number(json?.acc) - value) < 0.005
  }
}

/** The number of targets that training reports. */
export function targets(value: number): Expectation {
  return { right: `${value} targets`, fits: (outcome) => outcome.code === 0 && targetsOf(outcome) === value }
}

/** An error that contains all of `words`, and no result. */
export function refusal(right: string, ...words: RegExp[]): Expectation {
  return {
    right: `error: ${right}`,
    fits: ({ code, json, stderr }) =>
      (code === 1 || code === 2) && json === undefined && words.every((word) => word.test(stderr))
  }
}

/** Either of two expectations. */
export function either(first: Expectation, second: Expectation): Expectation {
  return {
    right: `${first.right}, or ${second.right}`,
    fits: (...seen) => first.fits(...seen) || second.fits(...seen)
  }
}

/** Any other property of the outcome. */
export function outcome(right: string, fits: Expectation['fits']): Expectation {
  return { right, fits }
}

/** The number of targets reported by `loam train`. */
export function targetsOf({ stderr }: Outcome): number | undefined {
  const found = /([\d,]+) targets/.exec(stderr)?.[1]
  return found === undefined ? undefined : Number(found.replaceAll(',', ''))
}

/** An outcome in a few words. */
export function shown(outcome: Outcome): string {
  const { code, json, stderr } = outcome
  if (code !== 0) return `${code}: ${lastLine(stderr)}`
  if (json?.nats !== undefined) return Number(json.nats).toFixed(4)
  if (json?.acc !== undefined) return `acc ${Number(json.acc).toFixed(2)}`
  if (json?.hidden_size !== undefined) return `dtype ${json.dtype}, torch_dtype ${json.torch_dtype}`
  if (json?.promptTokens !== undefined) return `${json.promptTokens} prompt tokens, ${json.tokens} tokens`
  const learned = targetsOf(outcome)
  if (learned !== undefined) return `${learned} targets`
  return lastLine(outcome.stdout) || lastLine(stderr) || 'done'
}

function lastLine(text: string): string {
  return text.trim().split('\n').at(-1) ?? ''
}
