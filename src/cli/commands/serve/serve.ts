import { Command } from 'commander'
import { executorOption } from '../../options/executor-options.ts'
import type { ProxyFlags } from '../../options/open-prada.ts'
import { integer } from '../../options/parsers.ts'
import { draftOptions, remoteOptions } from '../../options/prada-options.ts'

/** Flags of `loam serve`. */
export interface ServeFlags extends ProxyFlags {
  topK?: number | 'rows'
  gguf?: string
  name?: string
  host: string
  port: number
  apiKey?: string[]
  cors?: string[]
  atOnce: number
  logits: boolean
  rows: boolean
  positionsPerMinute?: number
  json?: boolean
}

/** `loam serve`: an OpenAI-compatible endpoint. */
export function serveCommand(): Command {
  const command = new Command('serve')
    .option('--model <folder>', 'folder of the base model (default: the model that Loam ships)')
    .option('--gguf <file>', 'run this GGUF file in llama.cpp; --model has its tokenizer')
    .option('--adapter <path>', "PEFT adapter folder, or one of Loam's safetensors files")
  remoteOptions(command)
  draftOptions(command, '--top-k')
  return command
    .option('--name <id>', 'model name that clients ask for (default: from the folders)')
    .option('--host <address>', 'address to listen on', '127.0.0.1')
    .option('--port <n>', 'port to listen on; 0 takes any free one', integer('--port', 0, 65_535), 8080)
    .option('--api-key <key...>', 'keys, one of which clients must send (default: LOAM_API_KEY)')
    .option('--cors <origin...>', 'origins whose web pages may send requests, or * for all (default: none)')
    .option('--chat-template <file>', "Jinja template, or chatml (default: the model's own)")
    .option(
      '--context <n>',
      "maximum length of a text in tokens (default: the model's maximum)",
      integer('--context', 2)
    )
    .addOption(executorOption())
    .option('--at-once <n>', 'requests answered at a time; others wait', integer('--at-once', 1, 256), 8)
    .option('--no-logits', 'do not serve logits')
    .option('--no-rows', 'serve the most likely ids, but not whole rows of logits')
    .option(
      '--positions-per-minute <n>',
      'limit of logits served to one client, in positions per minute (default: 120000)',
      integer('--positions-per-minute', 1)
    )
    .option('--json', 'print one JSON object at the end: { "url", "model", "requests", "tokens", "inexact" }')
    .addHelpText(
      'after',
      `
Without --remote, the model itself generates the texts, and its logits are
served under the same address. With --remote, the adapter of the home (or
--adapter) steers the model behind that address: see docs/serve.md.

Clients use http://HOST:PORT/v1 as the base URL of OpenAI's API. Stop with
Ctrl-C or SIGTERM: texts in progress get 10 seconds to finish.

Examples:
  $ loam serve --model models/mine --adapter my-adapter
  $ loam serve --home ~/.loam --remote http://gpu.example.org:8080
  $ loam serve --host 0.0.0.0 --api-key "$KEY" --cors https://chat.example.org`
    )
    .action(async (flags: ServeFlags) => {
      const { runServe } = await import('./run-serve.ts')
      await runServe(flags)
    })
}
