import { ALL_EXECUTORS, candidatesFor, type ExecutorDevice } from '../../../model/executor/choice.ts'
import { oneAtATime } from '../../../model/executor/one-at-a-time.ts'
import { type ExecutorProbe, probeExecutor } from '../../../model/executor/probe/index.ts'
import { withoutSecrets } from '../../../node/config/index.ts'
import type { DoctorSection } from './section.ts'
import { wrap } from './wrap.ts'

/** Every executor on every device: which ones work, and how to install the missing ones. */
export const executorsSection: DoctorSection = {
  name: 'executors',
  async examine() {
    // One after the other, as each briefly uses the whole processor: in parallel none would finish sooner, and one
    // could miss its deadline.
    const probe = oneAtATime((each: ExecutorDevice) =>
      probeExecutor(each, { environment: withoutSecrets(process.env) })
    )
    const probes = await Promise.all(ALL_EXECUTORS.map((each) => probe(each)))
    const standard = candidatesFor({}).find((candidate) =>
      probes.some((each) => each.works && same(each, candidate))
    )
    const isDefault = (each: ExecutorProbe) => standard !== undefined && same(each, standard)
    return {
      result: probes.map((each) => ({ ...each, default: isDefault(each) })),
      text: [table(probes, isDefault), ...probes.filter(({ works }) => !works).map(advice)].join('\n'),
      warnings: slowerDefault(probes, standard),
      actions: standard === undefined ? ['No executor works here: nothing can be trained or scored.'] : []
    }
  }
}

/** Warns that the default is slower if the preferred executor is missing. */
function slowerDefault(probes: readonly ExecutorProbe[], standard: ExecutorDevice | undefined): string[] {
  const preferred = candidatesFor({})[0]!
  if (standard === undefined || same(standard, preferred)) return []
  const { install } = probes.find((each) => same(each, preferred))!
  return [
    `${standard.executor} computes here, several times slower than ${preferred.executor}` +
      (install === undefined ? '.' : `, which is installed by: ${install}`)
  ]
}

function same(a: ExecutorDevice, b: ExecutorDevice): boolean {
  return a.executor === b.executor && a.device === b.device
}

function table(probes: readonly ExecutorProbe[], isDefault: (probe: ExecutorProbe) => boolean): string {
  const row = (cells: readonly string[]) =>
    cells
      .map((cell, index) => cell.padEnd([17, 8, 9, 0][index]!))
      .join('')
      .trimEnd()
  const rows = probes.map((probe) => [
    probe.executor,
    probe.device,
    probe.version ?? '-',
    isDefault(probe) ? 'works, the default' : probe.works ? 'works' : 'missing'
  ])
  return [['executor', 'device', 'version', 'here'], ...rows].map(row).join('\n')
}

/** What is missing, and the command that installs it, on a separate line for copying. */
function advice({ executor, device, reason = '', remedy = '', install }: ExecutorProbe): string {
  const said = wrap(`${reason}. ${remedy}${install === undefined ? '.' : ':'}`, '  ')
  const command = install === undefined ? [] : [foldCommand(install)]
  return ['', `${executor} on ${device}`, said, ...command].join('\n')
}

/** A command longer than 80 columns continues on the next line, so that it can still be copied. */
function foldCommand(command: string): string {
  return wrap(command, '    ').replaceAll('\n', ' \\\n  ')
}
