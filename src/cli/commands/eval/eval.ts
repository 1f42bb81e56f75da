import { Command } from 'commander'
import type { RoundChoice } from '../../../node/export/round-model.ts'
import { deviceOption, type ExecutorFlags, executorOption } from '../../options/executor-options.ts'
import { integer } from '../../options/parsers.ts'
import { type PradaFlags, remoteOptions, requireRemoteFor } from '../../options/prada-options.ts'
import { roundOption } from '../../options/round-option.ts'
import { UsageError } from '../../terminal/usage-error.ts'

/** Flags of `loam eval`. */
export interface EvalOptions
  extends ExecutorFlags,
    Pick<PradaFlags, 'home' | 'remote' | 'remoteKey' | 'remoteModel' | 'alpha'> {
  model?: string
  adapter?: string
  round?: RoundChoice
  text?: string
  choices?: string
  context?: number
  threads: number
  perToken?: boolean
  json?: boolean
}

/** `loam eval`: how well a model predicts a text. */
export function evalCommand(): Command {
  const command = new Command('eval')
    .option(
      '--model <folder>',
      'folder of the base model (default: with --home its own, else the one that Loam ships)'
    )
    .option('--adapter <path>', "PEFT adapter folder, or one of Loam's safetensors files")
    .option('--text <file>', 'UTF-8 text to score: mean nats per token')
    .option('--choices <file>', 'JSONL file of multiple-choice questions: accuracy')
    .option(
      '--context <n>',
      "tokens per window (default: the model's maximum, at most 256)",
      integer('--context', 2, 131_072)
    )
  remoteOptions(command)
  return command
    .addOption(roundOption('with --home: the model of this round (default: the last)'))
    .option('--threads <n>', 'number of threads', integer('--threads', 1, 256), 1)
    .addOption(executorOption())
    .addOption(deviceOption())
    .option('--per-token', 'list every token with its log-probability')
    .option(
      '--json',
      'print one JSON object: { "nats", "tokens", "bytes", "perToken" }, or { "acc", "acc_norm", … }'
    )
    .addHelpText(
      'after',
      `
The text starts with the tokenizer's prefix, such as a BOS token, and is cut
into windows that do not overlap. The first token of a window is not scored: its
log-probability is null.

Questions are scored as in lm-evaluation-harness: each choice by the sum of its
tokens' log-probabilities after the context (acc), and by that sum divided by
its length in characters (acc_norm) or bytes (acc_bytes). A line of the file:
  { "question": "What barks?", "choices": ["a cat", "a dog"], "answer": 1 }
The answer may be a letter. "context" in place of "question" is used verbatim;
"delimiter" (a space by default) separates it from a choice.

With --home and no --remote, the model is the one that the consortium sealed in
the last round, or in --round; without --text, its held-out text is scored.

With --remote, the scores are those of the combined distribution: the adapter
(of the home, or --adapter) steers the model behind that address. The remote
must serve whole rows of logits, and receives the whole text.

Examples:
  $ loam eval --text heldout.txt
  $ loam eval --adapter out/adapter --text out/peer-0/heldout.txt --json
  $ loam eval --adapter my-adapter --choices questions.jsonl
  $ loam eval --home ~/.loam --round best --text heldout.txt
  $ loam eval --home ~/.loam --remote http://gpu.example.org:8080 \\
      --text heldout.txt --alpha 0.5`
    )
    .action(async (options: EvalOptions) => {
      requireRemoteFor(options, true)
      if (options.round !== undefined && (options.home === undefined || options.remote !== undefined))
        throw new UsageError('--round needs --home, and does not go with --remote')
      if (options.home !== undefined && options.remote === undefined && options.adapter !== undefined)
        throw new UsageError('give --home or --adapter, not both')
      if (options.remote !== undefined) {
        const { runSteeredEvaluation } = await import('./run-steered-evaluation.ts')
        await runSteeredEvaluation(options)
        return
      }
      const { runEvaluation } = await import('./run-evaluation.ts')
      await runEvaluation(options)
    })
}
