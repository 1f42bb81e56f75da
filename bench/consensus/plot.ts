import { parse, View } from 'vega'
import { compile, type TopLevelSpec } from 'vega-lite'
import type { CostRow } from './measure.ts'

/** What a round costs a member by the number of members, as an SVG. */
export async function plotCost(rows: readonly CostRow[]): Promise<string> {
  const title = { all: 'all train and vote', committee: '20 train, 20 vote' }
  const spec: TopLevelSpec = {
    $schema: 'https://vega.github.io/schema/vega-lite/v6.json',
    width: 480,
    height: 300,
    title: 'Control messages that a member receives in a round',
    data: { values: rows.map(({ members, mode, messages }) => ({ members, who: title[mode], messages })) },
    mark: { type: 'line', point: true },
    encoding: {
      x: { field: 'members', type: 'quantitative', scale: { type: 'log' }, title: 'members' },
      y: { field: 'messages', type: 'quantitative', scale: { type: 'log' }, title: 'messages' },
      color: { field: 'who', type: 'nominal', title: null }
    }
  }
  return new View(parse(compile(spec).spec), { renderer: 'none' }).toSVG()
}
