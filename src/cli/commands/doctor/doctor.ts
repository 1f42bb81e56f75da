import { Command, Option } from 'commander'
import { addFlagsOf, settingsOfFlags } from '../../options/setting-flags.ts'
import { EXIT, printProgress, printResult } from '../../terminal/output.ts'

interface DoctorFlags {
  home: string
  only?: string
  json?: boolean
}

/** `loam doctor`: examines this machine and how its peer is reached, and says what an operator has to do. */
export function doctorCommand(): Command {
  const command = new Command('doctor')
    .option('--home <folder>', 'home of the peer whose network and disk are examined', '.')
    .addOption(
      new Option('--only <section>', 'examine this only').choices(['machine', 'executors', 'network'])
    )
  return addFlagsOf(command, 'network.listen', 'network.bootstrap', 'network.relays')
    .option('--json', 'print one JSON object: { "machine", "executors", "network", "warnings", "actions" }')
    .addHelpText(
      'after',
      `
Each executor computes a small product in its own process. If HOME is the home
of a peer, its network is examined: by asking the running peer, or else by
dialling the addresses in HOME/peer.json (or the flags) with the identity of the
home. The exit code is 1 if there is something to do ("actions"), otherwise 0.

Examples:
  $ loam doctor
  $ loam doctor --home ~/.loam --json
  $ loam doctor --home ~/.loam --only network \\
      --bootstrap /ip4/192.0.2.7/tcp/4001/p2p/12D3KooW...`
    )
    .action((flags: DoctorFlags) => examine(command, flags))
}

async function examine(command: Command, flags: DoctorFlags): Promise<void> {
  const { doctorSections, wrap } = await import('./sections.ts')
  const settings = settingsOfFlags(command, { ...flags })
  if (process.stderr.isTTY) printProgress('examining; this takes up to half a minute ...')
  const result: Record<string, unknown> = {}
  const warnings: string[] = []
  const actions: string[] = []
  const texts: string[] = []
  for (const section of doctorSections) {
    if (flags.only !== undefined && flags.only !== section.name) continue
    const findings = await section.examine({ home: flags.home, settings })
    result[section.name] = findings.result
    texts.push(findings.text)
    warnings.push(...(findings.warnings ?? []))
    actions.push(...(findings.actions ?? []))
  }
  printResult({ ...result, warnings, actions }, flags, () =>
    [
      ...texts,
      ...warnings.map((each) => wrap(`warning: ${each}`)),
      ...actions.map((each) => wrap(`to do: ${each}`))
    ].join('\n\n')
  )
  process.exitCode = actions.length > 0 ? EXIT.failed : EXIT.done
}
