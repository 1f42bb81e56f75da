import { parse, View } from 'vega'
import { compile, type TopLevelSpec } from 'vega-lite'
import type { SummaryRow } from './summary.ts'

/** Plots of an experiment as SVG, by file name; those without data are left out. */
export async function renderPlots(rows: readonly SummaryRow[]): Promise<Map<string, string>> {
  const plots: [string, TopLevelSpec | undefined][] = [
    ['rules-over-rounds.svg', rulesPlot(rows)],
    ['starts-over-rounds.svg', startsPlot(rows)],
    ['poison.svg', poisonPlot(rows)]
  ]
  const files = new Map<string, string>()
  for (const [name, spec] of plots) if (spec !== undefined) files.set(name, await renderSvg(spec))
  return files
}

/** An SVG of a Vega-Lite specification; no browser, no canvas. */
export async function renderSvg(spec: TopLevelSpec): Promise<string> {
  return new View(parse(compile(spec).spec), { renderer: 'none' }).toSVG()
}

interface PlotPoint {
  readonly series: string
  readonly panel: string
  readonly x: number | string
  readonly loss: number
  readonly low: number
  readonly high: number
}

function pointOf(row: SummaryRow, series: string, panel: string, x: number | string): PlotPoint {
  const { mean, deviation } = row.loss
  return { series, panel, x, loss: mean, low: mean - deviation, high: mean + deviation }
}

function rulesPlot(rows: readonly SummaryRow[]): TopLevelSpec | undefined {
  const values = rows
    .filter(({ study }) => study === 'rules')
    .map((row) => pointOf(row, row.method, `${row.split}, ${row.ranks}`, row.round))
  return values.length === 0 ? undefined : linePlot(values, 'rule')
}

function startsPlot(rows: readonly SummaryRow[]): TopLevelSpec | undefined {
  const values = rows
    .filter(
      (row) =>
        row.study === 'start' ||
        (row.study === 'rules' &&
          row.method === 'flora' &&
          row.split === 'domain' &&
          row.ranks === 'heterogeneous')
    )
    .map((row) => pointOf(row, row.start === 'rule' ? 'fresh' : row.start, 'FLoRA', row.round))
  return new Set(values.map(({ series }) => series)).size < 2 ? undefined : linePlot(values, 'start')
}

function linePlot(values: PlotPoint[], title: string): TopLevelSpec {
  return {
    $schema: 'https://vega.github.io/schema/vega-lite/v6.json',
    background: 'white',
    data: { values },
    facet: { field: 'panel', type: 'nominal', title: null, columns: 2 } as never,
    columns: 2,
    spec: {
      width: 320,
      height: 220,
      encoding: {
        x: { field: 'x', type: 'quantitative', title: 'round' },
        // Otherwise the legend is as faint as the bands.
        color: { field: 'series', type: 'nominal', title, legend: { symbolOpacity: 1 } }
      },
      layer: [
        {
          mark: { type: 'errorband', opacity: 0.12 } as never,
          encoding: {
            y: {
              field: 'low',
              type: 'quantitative',
              title: 'held-out loss (nats per token)',
              scale: { zero: false }
            },
            y2: { field: 'high' }
          }
        },
        {
          mark: { type: 'line', point: { size: 18 } },
          encoding: { y: { field: 'loss', type: 'quantitative', scale: { zero: false } } }
        }
      ]
    }
  }
}

function poisonPlot(rows: readonly SummaryRow[]): TopLevelSpec | undefined {
  const poison = rows.filter(({ study }) => study === 'poison')
  if (poison.length === 0) return undefined
  const last = Math.max(...poison.map(({ round }) => round))
  const values = poison
    .filter(({ round }) => round === last)
    .map((row) => pointOf(row, row.defence!, '', row.attack!))
  return {
    $schema: 'https://vega.github.io/schema/vega-lite/v6.json',
    background: 'white',
    data: { values },
    width: 420,
    height: 240,
    encoding: {
      x: { field: 'x', type: 'nominal', title: 'attack', axis: { labelAngle: 0 } },
      xOffset: { field: 'series', type: 'nominal' },
      color: { field: 'series', type: 'nominal', title: 'defence' }
    },
    layer: [
      {
        mark: { type: 'point', filled: true, size: 60 },
        encoding: {
          y: {
            field: 'loss',
            type: 'quantitative',
            scale: { zero: false },
            title: 'held-out loss (nats per token)'
          }
        }
      },
      {
        mark: { type: 'rule' },
        encoding: {
          y: { field: 'low', type: 'quantitative', scale: { zero: false } },
          y2: { field: 'high' }
        }
      }
    ]
  }
}
