import { Command } from 'commander'
import { printProgress, printResult } from '../output.ts'

interface DoctorFlags {
  home: string
  json?: boolean
}

/** `loam doctor`: what this machine has, and what it lacks. */
export function doctorCommand(): Command {
  return new Command('doctor')
    .description('show what can compute here, what is missing and the command that installs it')
    .option('--home <folder>', 'folder whose disk is looked at', '.')
    .option('--json', 'print one JSON object: { "machine", "executors", "warnings" }')
    .addHelpText(
      'after',
      `
Every executor computes a small product in a process of its own. It exits with 0 whatever is missing.

Examples:
  $ loam doctor
  $ loam doctor --home ~/.loam --json`
    )
    .action(examine)
}

async function examine(flags: DoctorFlags): Promise<void> {
  const { doctorSections, wrap } = await import('../doctor/index.ts')
  if (process.stderr.isTTY) printProgress('trying every executor ...')
  const result: Record<string, unknown> = {}
  const warnings: string[] = []
  const texts: string[] = []
  for (const section of doctorSections) {
    const findings = await section.examine({ home: flags.home })
    result[section.name] = findings.result
    texts.push(findings.text)
    warnings.push(...(findings.warnings ?? []))
  }
  printResult({ ...result, warnings }, flags, () =>
    [
      ...texts,
      ...(warnings.length > 0 ? [warnings.map((each) => wrap(`warning: ${each}`)).join('\n')] : [])
    ].join('\n\n')
  )
}
