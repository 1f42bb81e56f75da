import { Command } from 'commander'
import type { SamplingSettings } from '../../../model/generate/sampling.ts'
import { deviceOption, type ExecutorFlags, executorOption } from '../../options/executor-options.ts'
import { integer, nonNegativeNumber, share } from '../../options/parsers.ts'
import {
  draftOptions,
  type PradaFlags,
  remoteOptions,
  requireRemoteFor
} from '../../options/prada-options.ts'

/** Flags of `loam generate`. */
export interface GenerateFlags extends ExecutorFlags, SamplingSettings, PradaFlags {
  model?: string
  adapter?: string
  prompt: string
  chat?: boolean
  system?: string
  chatTemplate?: string
  maxTokens?: number
  stop?: string[]
  seed?: number
  context?: number
  remoteTopK?: number | 'rows'
  threads: number
  json?: boolean
}

/** `loam generate`: continues a text. */
export function generateCommand(): Command {
  const command = textOptions(new Command('generate'))
  remoteOptions(command)
  draftOptions(command, '--remote-top-k')
  return command
    .option('--threads <n>', 'number of threads', integer('--threads', 1, 256), 1)
    .addOption(executorOption())
    .addOption(deviceOption())
    .option(
      '--json',
      'print one JSON object: { "text", "tokens", "promptTokens", "finishReason", "seed", "tokensPerSecond" }; with --remote also "exact", "tokensPerTrip", "bytesPerToken"'
    )
    .addHelpText(
      'after',
      `
The text is printed as it is generated. Options that are not given are taken
from the model's generation_config.json; without one, the most likely token is
picked.

With --remote, the adapter (of the home, or --adapter) steers the model behind
that address: see docs/serve.md.

Examples:
  $ loam generate --prompt "Once upon a time"
  $ loam generate --adapter my-adapter --prompt "Dear colleagues," \\
      --temperature 0.8 --top-p 0.95 --seed 1
  $ echo "What is a whale?" | \\
      loam generate --model models/chat --chat --prompt - --json
  $ loam generate --home ~/.loam --remote http://gpu.example.org:8080 \\
      --prompt "Dear colleagues,"`
    )
    .action(async (flags: GenerateFlags) => {
      requireRemoteFor(flags)
      if (flags.remote !== undefined) {
        const { runSteeredGeneration } = await import('./run-steered-generation.ts')
        await runSteeredGeneration(flags)
        return
      }
      const { runGeneration } = await import('./run-generation.ts')
      await runGeneration(flags)
    })
}

/** Adds the flags for the model, the prompt, sampling and the end of the text. */
function textOptions(command: Command): Command {
  return command
    .option('--model <folder>', 'folder of the base model (default: the model that Loam ships)')
    .option('--adapter <path>', "PEFT adapter folder, or one of Loam's safetensors files")
    .requiredOption('--prompt <text>', 'text to continue; - reads it from standard input')
    .option('--chat', "wrap the prompt in the model's chat template, as a user message")
    .option('--system <text>', 'system message; needs --chat')
    .option('--chat-template <file>', "Jinja template, or chatml (default: the model's own)")
    .option(
      '--max-tokens <n>',
      "maximum number of new tokens (default: the model's setting, or 128)",
      integer('--max-tokens', 1)
    )
    .option(
      '--temperature <x>',
      'sampling temperature; 0 always picks the most likely token',
      nonNegativeNumber('--temperature')
    )
    .option('--top-k <n>', 'sample from the n most likely tokens only', integer('--top-k', 1))
    .option(
      '--top-p <p>',
      'sample from the most likely tokens whose probabilities add up to p',
      share('--top-p')
    )
    .option(
      '--stop <text>',
      'stop before this text; can be given several times',
      (stop: string, all: string[] = []) => [...all, stop]
    )
    .option('--seed <n>', 'seed of the sampling (default: a random one)', integer('--seed', 0))
    .option(
      '--context <n>',
      "maximum length of the text in tokens (default: the model's maximum)",
      integer('--context', 2)
    )
}
