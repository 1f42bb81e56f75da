import type { TopLevelSpec } from 'vega-lite'
import { renderSvg } from '../../lab/experiments/plots.ts'
import type { CostRow, Mode } from './cost-row.ts'

const SERIES: Readonly<Record<Mode, string>> = {
  simulated: 'all train and vote',
  'vote-path': 'of these: propose, prevote, precommit',
  committee: '20 train, 20 vote',
  processes: 'real processes, with repetitions'
}

/** What a round costs a member by the number of members, messages and bytes side by side, as an SVG. */
export function plotCosts(rows: readonly CostRow[]): Promise<string> {
  const values = rows
    .filter(({ messages }) => messages > 0)
    .map(({ members, mode, messages, bytes }) => ({
      members,
      series: SERIES[mode],
      messages,
      kilobytes: bytes / 1000
    }))
  const panel = (field: 'messages' | 'kilobytes', title: string) => ({
    width: 320,
    height: 280,
    mark: { type: 'line', point: true } as const,
    encoding: {
      x: { field: 'members', type: 'quantitative', scale: { type: 'log' }, title: 'members' },
      y: { field, type: 'quantitative', scale: { type: 'log' }, title },
      color: {
        field: 'series',
        type: 'nominal',
        title: null,
        sort: Object.values(SERIES),
        legend: { orient: 'bottom', columns: 2, labelLimit: 300 }
      }
    } as const
  })
  const spec: TopLevelSpec = {
    $schema: 'https://vega.github.io/schema/vega-lite/v6.json',
    background: 'white',
    title: 'What a member receives in a round, without blocks',
    data: { values },
    hconcat: [panel('messages', 'messages'), panel('kilobytes', 'kB')]
  }
  return renderSvg(spec)
}
