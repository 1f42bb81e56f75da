import { ALL_EXECUTORS, candidatesFor, type ExecutorDevice } from '../../../model/executor/choice.ts'
import { oneAtATime } from '../../../model/executor/one-at-a-time.ts'
import { type ExecutorProbe, probeExecutor } from '../../../model/executor/probe/index.ts'
import { withoutSecrets } from '../../../node/config/index.ts'
import type { DoctorSection } from './section.ts'
import { wrap } from './wrap.ts'

/** Every executor on every device: what works, and what installs what is missing. */
export const executorsSection: DoctorSection = {
  name: 'executors',
  async examine() {
    // Each takes a moment of the whole processor: beside each other none is faster, and one could miss its deadline.
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
      actions: standard === undefined ? ['No executor works here: nothing can be trained or scored.'] : []
    }
  }
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

/** What is missing, and the command that installs it on a line of its own, to be copied. */
function advice({ executor, device, reason = '', remedy = '', install }: ExecutorProbe): string {
  const said = wrap(`${reason}. ${remedy}${install === undefined ? '.' : ':'}`, '  ')
  // Too long for a line of 80 columns, it goes on in the next, so that it can still be copied.
  const command = install?.replace(/ /, install.length > 76 ? ' \\\n      ' : ' ')
  return ['', `${executor} on ${device}`, said, ...(command === undefined ? [] : [`    ${command}`])].join(
    '\n'
  )
}
