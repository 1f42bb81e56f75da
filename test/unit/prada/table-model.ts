import { createSeededRandom } from '../../../src/data/order/seeded-random.ts'
import type { TokenModel } from '../../../src/prada/models/index.ts'

/** Logits after a prefix. */
type Table = (prefix: readonly number[]) => Float32Array

/** A number of a text's last tokens, and of a seed. */
function hash(prefix: readonly number[], seed: number): number {
  let value = seed | 0
  for (const id of prefix.slice(-3)) value = (Math.imul(value ^ (id + 1), 0x9e3779b1) ^ (value >>> 13)) | 0
  return value >>> 0
}

/** Random distributions, different after every few tokens. */
export function randomTable(seed: number, size: number, spread: number): Table {
  return remembered(seed, (prefix) => {
    const random = createSeededRandom(hash(prefix, seed))
    return Float32Array.from({ length: size }, () => random.normal() * spread)
  })
}

function remembered(seed: number, table: Table): Table {
  const rows = new Map<number, Float32Array>()
  return (prefix) => {
    const key = hash(prefix, seed)
    const row = rows.get(key) ?? table(prefix)
    rows.set(key, row)
    return row
  }
}

/** A table at some distance from another, like a proxy. */
export function nearTable(table: Table, seed: number, distance: number): Table {
  return remembered(seed, (prefix) => {
    const random = createSeededRandom(hash(prefix, seed))
    return table(prefix).map((logit) => logit + random.normal() * distance)
  })
}

/** A model that looks its logits up; only its distributions are invented. */
export function tableModel(table: Table, size: number, context = 10_000): TokenModel {
  return {
    context,
    vocabularySize: size,
    start() {
      const ids: number[] = []
      return {
        get length() {
          return ids.length
        },
        async appendRows(added, count) {
          const rows: Float32Array[] = []
          for (const [index, id] of added.entries()) {
            ids.push(id)
            if (added.length - index <= count) rows.push(table(ids))
          }
          return rows
        },
        truncate(length) {
          ids.length = length
        }
      }
    },
    dispose: async () => undefined
  }
}
