import { existsSync } from 'node:fs'
import { Command } from 'commander'
import { homeAt } from '../../node/home/home.ts'
import { addSettingFlags, settingDefaults, settingsOfFlags } from '../options/setting-flags.ts'
import { EXIT, type OutputOptions, printProgress, printResult } from '../terminal/output.ts'

interface ConfigFlags extends OutputOptions {
  home: string
}

/** `loam config`: prints and checks a peer's settings. */
export function configCommand(): Command {
  return new Command('config').addCommand(printCommand()).addCommand(checkCommand())
}

function printCommand(): Command {
  const command = new Command('print')
    .description('print every setting with its value and the source of the value')
    .requiredOption('--home <folder>', "the peer's home folder")
  return addSettingFlags(command)
    .option('--json', 'print one JSON object')
    .addHelpText(
      'after',
      `
The flags are those of loam peer: use them to see what they would change.
Sources of a value: default, file (HOME/peer.json), environment (secrets only,
which are not printed), flag.

Examples:
  $ loam config print --home ~/.loam
  $ loam config print --home ~/.loam --rank 4 --json`
    )
    .action((flags: ConfigFlags) => runPrint(command, flags))
}

async function runPrint(command: Command, flags: ConfigFlags): Promise<void> {
  const { effectiveSettings, SETTINGS, valueAt } = await import('../../node/config/index.ts')
  const home = homeAt(flags.home)
  const { config, sources } = await effectiveSettings(home, {
    flags: settingsOfFlags(command, { ...flags }),
    defaults: settingDefaults(flags.home)
  })
  const settings = SETTINGS.map(({ key, unit, absent, secretFrom }) => {
    const value = valueAt(config, key)
    const shown = value !== undefined && secretFrom !== undefined ? '(secret)' : value
    return {
      key,
      value: shown ?? null,
      source: sources.get(key)!,
      unit: unit ?? null,
      absent: absent ?? null
    }
  })
  const result = {
    file: existsSync(home.config) ? home.config : null,
    settings: Object.fromEntries(
      settings.map(({ key, value, source, unit }) => [key, { value, source, unit }])
    )
  }
  printResult(result, flags, () =>
    settings
      .map(({ key, value, source, unit, absent }) => {
        const text = value === null ? `(${absent})` : textOf(value)
        return `${key.padEnd(24)} ${source.padEnd(11)} ${text}${unit === null || value === null ? '' : ` ${unit}`}`
      })
      .join('\n')
  )
}

function textOf(value: unknown): string {
  if (Array.isArray(value)) return value.length === 0 ? '(none)' : value.join(' ')
  return typeof value === 'object' ? JSON.stringify(value) : String(value)
}

function checkCommand(): Command {
  const command = new Command('check')
    .description('check HOME/peer.json, and that the peer could take part with its settings')
    .requiredOption('--home <folder>', "the peer's home folder")
  return addSettingFlags(command)
    .option('--json', 'print one JSON object')
    .addHelpText(
      'after',
      `
Checks each setting, then what loam peer checks before it starts: the charter's
limits, the training documents, the base model and the executor. The exit code
is 0 if all are valid, otherwise 1.

Examples:
  $ loam config check --home ~/.loam
  $ loam config check --home ~/.loam --rank 64`
    )
    .action((flags: ConfigFlags) => runCheck(command, flags))
}

async function runCheck(command: Command, flags: ConfigFlags): Promise<void> {
  const { effectiveSettings, SettingsError } = await import('../../node/config/index.ts')
  const { PeerError } = await import('../../node/storage/peer-error.ts')
  const home = homeAt(flags.home)
  const settings = settingsOfFlags(command, { ...flags })
  const faults: { key: string; message: string }[] = []
  const remarks: string[] = []
  try {
    const effective = await effectiveSettings(home, {
      flags: settings,
      defaults: settingDefaults(flags.home)
    })
    if (existsSync(home.charter)) {
      const { readCharter } = await import('../../node/home/charter-file.ts')
      const { charterBaseAt } = await import('../../node/base/require-base.ts')
      const { requireCharterBase } = await import('../../node/consortium/charter-base.ts')
      const { requireOwnSettings, requireSettings } = await import('../../node/config/require-settings.ts')
      const { config, sources } = effective
      const { charter } = await readCharter(home.charter)
      await requireOwnSettings(config, charter)
      if (
        sources.get('model') === 'default' &&
        !existsSync(home.base) &&
        (await charterBaseAt(config.model, charter)) === undefined
      )
        remarks.push(
          'the base model is not here: loam peer will fetch it from members; what depends on it was not checked'
        )
      else {
        await requireCharterBase(config.model, charter)
        await requireSettings(config)
      }
    } else remarks.push(`${home.folder} has no charter yet: its limits were not checked`)
  } catch (error) {
    if (!(error instanceof PeerError)) throw error
    faults.push(...(error instanceof SettingsError ? error.faults : [{ key: '', message: error.message }]))
  }
  for (const { message } of faults) printProgress(`error: ${message}`)
  for (const remark of remarks) printProgress(`note: ${remark}`)
  const ok = faults.length === 0
  printResult({ ok, faults, remarks }, flags, () =>
    ok ? 'the settings are valid' : `${faults.length} setting(s) are invalid`
  )
  process.exitCode = ok ? EXIT.done : EXIT.failed
}
