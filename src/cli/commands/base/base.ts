import { Command } from 'commander'
import type { SettingValues } from '../../../node/config/index.ts'
import { homeAt } from '../../../node/home/home.ts'
import { PeerError } from '../../../node/storage/peer-error.ts'
import { OUT_OF_TIME, untilInterrupted } from '../../options/control-command.ts'
import { positiveNumber } from '../../options/parsers.ts'
import { addFlagsOf, settingDefaults, settingsOfFlags } from '../../options/setting-flags.ts'
import { type OutputOptions, printProgress, printResult } from '../../terminal/output.ts'
import { sayBaseProgress, verdictText } from './base-progress-text.ts'

interface FetchFlags extends OutputOptions {
  home: string
  charter?: string
  minutes?: number
}

/** `loam base`: the consortium's base model. */
export function baseCommand(): Command {
  return new Command('base')
    .addCommand(fetchCommand())
    .addHelpText('after', '\nExample:\n  $ loam base fetch --home ~/.loam')
}

function fetchCommand(): Command {
  const command = new Command('fetch')
    .description('fetch the base model from members into HOME/base, before the peer is started')
    .requiredOption('--home <folder>', "the peer's home folder")
    .option('--charter <file>', "the consortium's charter; needed if the home has none yet")
  return addFlagsOf(command, 'network.listen', 'network.bootstrap', 'network.relays')
    .option(
      '--minutes <x>',
      'give up if it is not complete after this time (default: never)',
      positiveNumber('--minutes')
    )
    .option('--json', 'print one JSON object: { "folder", "fetched", "digest", "files" }')
    .addHelpText(
      'after',
      `
loam peer does the same if it starts without a base. The model comes from all
members that have it, and every block is checked against the charter. After
Ctrl-C or a failure, running the command again resumes the download; loam status
shows the progress. Members serve only members: a candidate is served once a
quorum has admitted it, and this command waits until then.

Examples:
  $ loam base fetch --home ~/.loam
  $ loam base fetch --home ~/.loam --minutes 30
  $ loam base fetch --home ~/.loam --bootstrap /ip4/192.0.2.7/tcp/4001/p2p/12D3KooW... --json`
    )
    .action((flags: FetchFlags) => runFetch(flags, settingsOfFlags(command, { ...flags })))
}

async function runFetch(flags: FetchFlags, settings: SettingValues): Promise<void> {
  const { effectiveSettings } = await import('../../../node/config/index.ts')
  const { createHomeFolders } = await import('../../../node/home/home.ts')
  const { adoptCharter } = await import('../../../node/home/charter-file.ts')
  const { createLogs } = await import('../../../node/log/logs.ts')
  const { parseLogLevels } = await import('../../../node/log/levels.ts')
  const { openHome } = await import('../../../node/membership/open-home.ts')
  const { lockHome } = await import('../../../node/home/process-lock.ts')
  const { hostIdentity } = await import('../../../node/membership/quiet-host.ts')
  const { letHeapGrow } = await import('../../../node/upkeep/heap-growth.ts')
  const { fetchBaseFromMembers, fetchedBase } = await import('../../../node/base/require-base.ts')
  letHeapGrow()
  const home = homeAt(flags.home)
  const stopped = untilInterrupted(flags.minutes)
  const { config } = await effectiveSettings(home, {
    flags: settings,
    defaults: settingDefaults(flags.home)
  })
  await createHomeFolders(home)
  if (flags.charter !== undefined) await adoptCharter(home, flags.charter)
  const unlock = await lockHome(home)
  try {
    const opened = await openHome(home, config.network)
    const { charter } = opened
    const isThere = (await fetchedBase(home, charter.charter)) !== undefined
    const logs = createLogs({
      path: home.log,
      levels: parseLogLevels(config.log.level)!,
      toStandardError: false,
      ...config.log
    })
    if (!isThere)
      await fetchBaseFromMembers({
        ...hostIdentity(opened, config.network, logs.of('network')),
        home,
        charter: charter.charter,
        blocks: config.blocks,
        progress: sayBaseProgress(),
        onVerdict: (verdict) => printProgress(verdictText(verdict)),
        signal: stopped
      }).catch((error: unknown) => {
        if (!stopped.aborted) throw error
        const why =
          stopped.reason === OUT_OF_TIME ? `not complete after ${flags.minutes} minute(s)` : 'stopped'
        throw new PeerError(`${why}; what was fetched is kept, and the next call continues`)
      })
    const { baseDigest, hex } = await import('../../../protocol/index.ts')
    const { files } = charter.charter.base
    const digest = hex(baseDigest(files))
    printResult(
      { folder: home.base, fetched: !isThere, digest, files: files.map(({ path }) => path) },
      flags,
      () => `${home.base} contains the base model${isThere ? ' already' : ''}, ${digest}`
    )
  } finally {
    await unlock()
  }
}
