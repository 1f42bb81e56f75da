/** What a command of `loam` did with a case. */
export interface Outcome {
  readonly code: number
  /** The last line of standard output, where it is a JSON object. */
  readonly json: Readonly<Record<string, unknown>> | undefined
  readonly stdout: string
  readonly stderr: string
}

/** What an outcome is judged by. */
export interface Expectation {
  /** What the table says is right. */
  readonly right: string
  /** `first` is what the command that runs before did. */
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
  /** A file that is looked at in place of what `command` prints: it is the outcome's JSON. */
  readonly file?: string
}

/** Nats per token that are not counted as a difference. */
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

/** Targets that training counts. */
export function targets(value: number): Expectation {
  return { right: `${value} targets`, fits: (outcome) => outcome.code === 0 && targetsOf(outcome) === value }
}

/** One error that says all of `words`, and no number. */
export function refusal(right: string, ...words: RegExp[]): Expectation {
  return {
    right: `error: ${right}`,
    fits: ({ code, json, stderr }) =>
      (code === 1 || code === 2) && json === undefined && words.every((word) => word.test(stderr))
  }
}

/** Either of two. */
export function either(first: Expectation, second: Expectation): Expectation {
  return {
    right: `${first.right}, or ${second.right}`,
    fits: (...seen) => first.fits(...seen) || second.fits(...seen)
  }
}

/** Anything else that can be told from the outcome. */
export function outcome(right: string, fits: Expectation['fits']): Expectation {
  return { right, fits }
}

/** The targets that `loam train` says it learns. */
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
