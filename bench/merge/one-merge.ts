/**
 * Merges repeatedly on one thread, to see how much processes running side by side slow each other down.
 *
 * Usage: node one-merge.js ROWS COLUMNS RANK; prints GFLOP/s on the wall's clock as JSON.
 */
import { meanMergeSpeed } from './merge-speed.ts'

const [rows, columns, rank] = process.argv.slice(2).map(Number)
const MERGES = 20
console.log(JSON.stringify(await meanMergeSpeed(rows!, columns!, rank!, MERGES)))
