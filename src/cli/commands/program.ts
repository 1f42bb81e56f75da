import { Command } from 'commander'
import { packageVersion } from '../../package-root.ts'

/** A command as listed by `loam --help`. */
interface CommandEntry {
  /** Its line in `loam --help`, and the first line of its own help. */
  readonly summary: string
  /** Imports its flags and action lazily: importing all commands would take longer than most commands run. */
  readonly load: () => Promise<Command>
}

const COMMANDS: Readonly<Record<string, CommandEntry>> = {
  testnet: {
    summary: 'run a whole network on this machine: real peers, real text, a real model',
    load: async () => (await import('./testnet/testnet.ts')).testnetCommand()
  },
  peer: {
    summary: 'run a peer: train, exchange shards, vote and stack with the other members',
    load: async () => (await import('./peer/peer.ts')).peerCommand()
  },
  trainer: {
    summary: "Loam's engine as a peer's external trainer, here or on another machine",
    load: async () => (await import('./trainer.ts')).trainerCommand()
  },
  relay: {
    summary: 'run a relay and bootstrap node: carries connections between members, never votes',
    load: async () => (await import('./relay.ts')).relayCommand()
  },
  config: {
    summary: "show or check a peer's settings",
    load: async () => (await import('./config.ts')).configCommand()
  },
  status: {
    summary: 'show what a running peer is doing: round, phase, connections, last sealed round',
    load: async () => (await import('./status.ts')).statusCommand()
  },
  peers: {
    summary: 'list the members and other connected peers, as a running peer sees them',
    load: async () => (await import('./peers.ts')).peersCommand()
  },
  rounds: {
    summary: 'list sealed rounds of a running peer, the latest first',
    load: async () => (await import('./rounds.ts')).roundsCommand()
  },
  logs: {
    summary: "show the last lines of a running peer's log",
    load: async () => (await import('./logs.ts')).logsCommand()
  },
  identity: {
    summary: 'print the member card of a home; creates the key if there is none, never overwrites one',
    load: async () => (await import('./identity.ts')).identityCommand()
  },
  consortium: {
    summary: 'make or read the charter of a consortium',
    load: async () => (await import('./consortium/consortium.ts')).consortiumCommand()
  },
  invite: {
    summary: 'sign an invite: the charter, a seal to trust, and where members can be reached',
    load: async () => (await import('./invite.ts')).inviteCommand()
  },
  join: {
    summary: 'create a home and a request to join from an invite; run it again to see its progress',
    load: async () => (await import('./join.ts')).joinCommand()
  },
  base: {
    summary: "the consortium's base model",
    load: async () => (await import('./base/base.ts')).baseCommand()
  },
  members: {
    summary: 'list members; ask to join, admit, leave or evict',
    load: async () => (await import('./members/members.ts')).membersCommand()
  },
  verify: {
    summary: "replay a home's whole history from the charter: print its digest, or the first fault",
    load: async () => (await import('./verify.ts')).verifyCommand()
  },
  adapter: {
    summary: "work with the consortium's adapter",
    load: async () => (await import('./adapter.ts')).adapterCommand()
  },
  data: {
    summary: 'show how training data is read: records, tokens, and which of them are learned',
    load: async () => (await import('./data/data.ts')).dataCommand()
  },
  train: {
    summary: 'fine-tune a LoRA adapter on this machine alone: no network, no consortium',
    load: async () => (await import('./train/train.ts')).trainCommand()
  },
  generate: {
    summary: 'continue a text, or answer as a chat, with or without an adapter',
    load: async () => (await import('./generate/generate.ts')).generateCommand()
  },
  serve: {
    summary: 'answer OpenAI-style requests with a model, or with a remote that an adapter steers',
    load: async () => (await import('./serve/serve.ts')).serveCommand()
  },
  eval: {
    summary: 'score a text or multiple-choice questions under a model, with or without an adapter',
    load: async () => (await import('./eval/eval.ts')).evalCommand()
  },
  doctor: {
    summary: 'show what can compute here, how a peer reaches others, what is missing and what to do',
    load: async () => (await import('./doctor/doctor.ts')).doctorCommand()
  }
}

/**
 * The `loam` command with its subcommands.
 *
 * @param words the command line: commands that it does not name get a summary only. If absent, every command is
 * complete
 */
export async function createProgram(words?: readonly string[]): Promise<Command> {
  const program = new Command('loam')
    .description('LoRA over a mesh: fine-tune one language model together, without a server')
    .version(packageVersion())
    .showHelpAfterError('(see loam --help)')
    .configureHelp({ subcommandTerm: (command) => command.name() })
    .addHelpText(
      'after',
      `
Examples:
  $ loam testnet                          a whole network on this machine
  $ loam identity --home ~/.loam          this peer's identity; made if needed
  $ loam peer --home ~/.loam              take part in a consortium
  $ loam status --home ~/.loam            what a running peer is doing
  $ loam join INVITE --home ~/.loam       ask to join a consortium
  $ loam train --data FILE --out DIR      fine-tune on this machine alone
  $ loam serve --model DIR                an OpenAI-compatible server
  $ loam doctor                           what can compute on this machine
  $ loam COMMAND --help                   a command's options, with examples

Exit codes: 0 success, 1 failure, 2 incorrect usage (including no command).
LOAM_DEBUG=1 prints the stack of an error.`
    )
  for (const [name, { summary, load }] of Object.entries(COMMANDS)) {
    const isNamed = words === undefined || words.includes(name)
    const command = isNamed ? await load() : new Command(name)
    program.addCommand(command.description(summary))
  }
  return program
}
