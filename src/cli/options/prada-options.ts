import { type Command, Option } from 'commander'
import type { PradaSettings } from '../../prada/index.ts'
import { UsageError } from '../terminal/usage-error.ts'
import { integer, nonNegativeNumber } from './parsers.ts'

/** Flags of every command that steers a remote with a proxy. */
export interface PradaFlags {
  home?: string
  remote?: string
  remoteKey?: string
  remoteModel?: string
  alpha?: number
  draft?: 'adapted' | 'base' | 'remote'
  draftLength?: 'auto' | number
  /** How many ids each answer of the remote contains. */
  told?: number | 'rows' | 'auto'
  wanted?: number
  shareNoise?: boolean
  requireExact?: boolean
}

/** Most drafts per trip. */
const DRAFTS_MAX = 32

/** Adds `--home`, `--remote` and the flags for reaching and steering the remote. */
export function remoteOptions(command: Command): Command {
  return command
    .option('--home <folder>', "home of a peer, whose consortium's adapter steers the remote")
    .option(
      '--remote <url>',
      'the large model to steer: a URL, or the multiaddr of a member that serves one (docs/remotes.md)'
    )
    .option('--remote-key <key>', 'API key of the remote (default: LOAM_REMOTE_KEY)')
    .option('--remote-model <id>', "which of the remote's models to use, if it has several")
    .option('--alpha <x>', 'strength of the adapter on the remote (default: 1)', nonNegativeNumber('--alpha'))
}

/** Adds the flags for drafting and verifying; `topKFlag` names the flag for the number of ids per answer. */
export function draftOptions(command: Command, topKFlag: string): Command {
  const top = new Option(
    `${topKFlag} <n>`,
    'number of most likely ids in each answer of the remote, rows for all, or auto to find the best number by measuring (default: auto)'
  ).argParser(integerOr(topKFlag, ['rows', 'auto'], 1, 65_536))
  return command
    .addOption(
      new Option(
        '--draft <who>',
        'who drafts tokens: the remote itself, or a proxy for the remote to verify (default: remote where it knows the seed, else adapted if it judges drafts)'
      ).choices(['adapted', 'base', 'remote'])
    )
    .option(
      '--draft-length <k>',
      'drafts per trip, or auto to find the best number by measuring (default: auto)',
      integerOr('--draft-length', ['auto'], 0, DRAFTS_MAX)
    )
    .addOption(top)
    .option(
      '--wanted <n>',
      'most ids per position to ask for in advance; 0 keeps them private (default: 16)',
      integer('--wanted', 0, 65_536)
    )
    .option('--no-share-noise', 'do not share the sampling seed with the remote, at the cost of more trips')
    .option('--require-exact', 'fail if the remote does not provide enough to be certain of a token')
}

function integerOr<Word extends string>(
  name: string,
  words: readonly Word[],
  minimum: number,
  maximum: number
): (text: string) => number | Word {
  const parse = integer(name, minimum, maximum)
  return (text) => {
    const word = words.find((each) => each === text)
    if (word !== undefined) return word
    if (/^\d+$/.test(text)) return parse(text)
    throw new UsageError(
      `${name} must be ${words.join(', ')} or an integer from ${minimum} to ${maximum}, got ${JSON.stringify(text)}`
    )
  }
}

/** Flags that need `--remote`, by key. */
const REMOTE_ONLY = {
  remoteKey: '--remote-key',
  remoteModel: '--remote-model',
  alpha: '--alpha',
  draft: '--draft',
  draftLength: '--draft-length',
  wanted: '--wanted',
  requireExact: '--require-exact'
} as const

/**
 * Refuses flags about steering a remote if there is none.
 *
 * @param isHomeLocal whether `--home` alone stands for the model of that home
 * @throws {UsageError}
 */
export function requireRemoteFor(flags: PradaFlags, isHomeLocal = false): void {
  if (flags.remote !== undefined) return
  if (flags.home !== undefined && !isHomeLocal)
    throw new UsageError('--home needs --remote: without one, use --model for a local model')
  for (const [key, name] of Object.entries(REMOTE_ONLY))
    if (flags[key as keyof typeof REMOTE_ONLY] !== undefined) throw new UsageError(`${name} needs --remote`)
  if (flags.shareNoise === false) throw new UsageError('--no-share-noise needs --remote')
}

/**
 * The session's settings from the flags, with defaults for the rest.
 *
 * @throws {UsageError}
 */
export function pradaSettings(flags: PradaFlags, defaults: PradaSettings): PradaSettings {
  const { alpha, draft, draftLength, told, wanted, shareNoise, requireExact } = flags
  if (draft === 'remote' && shareNoise === false)
    throw new UsageError(
      '--no-share-noise does not go with --draft remote: the remote needs the seed to draft'
    )
  return {
    ...defaults,
    ...(alpha !== undefined && { alpha }),
    ...(draft !== undefined && { drafter: draft }),
    ...(draftLength !== undefined && { draftLength }),
    ...(told !== undefined && { topK: told }),
    ...(wanted !== undefined && { wantedMax: wanted }),
    ...(shareNoise === false && { shareNoise: false }),
    requireExact: requireExact === true
  }
}
