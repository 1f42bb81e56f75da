import type { MetricsRegister } from '@libp2p/gossipsub/metrics'
import { Gauge, Histogram, type Registry } from 'prom-client'

/** Functions that take labels and a value, or only the value if there are no labels. */
type WithLabels = (labels: Record<string, string | number> | number, value?: number) => void

/** What gossipsub registers its own metrics with, in a registry of prom-client. */
export function gossipRegister(registry: Registry): MetricsRegister {
  const common = (config: { name: string; help: string; labelNames?: readonly string[] }) => ({
    name: config.name,
    help: config.help,
    labelNames: [...(config.labelNames ?? [])],
    registers: [registry]
  })
  const register = {
    gauge(config: { name: string; help: string; labelNames?: string[] }) {
      const collects: ((gauge: unknown) => void)[] = []
      const gauge = new Gauge({
        ...common(config),
        collect() {
          for (const collect of collects) collect(made)
        }
      })
      const made = {
        inc: gauge.inc.bind(gauge) as WithLabels,
        set: gauge.set.bind(gauge) as WithLabels,
        addCollect: (collect: (gauge: unknown) => void) => collects.push(collect)
      }
      return made
    },
    histogram(config: { name: string; help: string; labelNames?: string[]; buckets?: number[] }) {
      const histogram = new Histogram({
        ...common(config),
        ...(config.buckets === undefined ? {} : { buckets: config.buckets })
      })
      return {
        startTimer: () => histogram.startTimer(),
        observe: histogram.observe.bind(histogram) as WithLabels,
        reset: () => histogram.reset()
      }
    },
    avgMinMax(config: { name: string; help: string; labelNames?: string[] }) {
      const gauges = (['avg', 'min', 'max'] as const).map((kind) => ({
        kind,
        gauge: new Gauge({ ...common(config), name: `${config.name}_${kind}` })
      }))
      return {
        set(labels: Record<string, string | number> | number[], values: number[] = []) {
          const given = Array.isArray(labels) ? labels : values
          for (const { kind, gauge } of gauges) {
            const value = summarise(given, kind)
            if (Array.isArray(labels)) gauge.set(value)
            else gauge.set(labels, value)
          }
        }
      }
    }
  }
  // The published types describe the labels by generics; here they are only passed on.
  return register as unknown as MetricsRegister
}

function summarise(values: readonly number[], kind: 'avg' | 'min' | 'max'): number {
  if (values.length === 0) return 0
  if (kind === 'avg') return values.reduce((sum, value) => sum + value, 0) / values.length
  return values.reduce((left, right) => Math[kind](left, right))
}
