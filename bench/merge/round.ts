/**
 * One round of many modules in a process of its own, so that only its memory is measured.
 *
 * Usage: node --expose-gc round.js ROWS COLUMNS MODULES RANK THREADS; prints a {@link RoundSpeed} as JSON.
 */
import { roundSpeed } from './merge-speed.ts'

const [rows, columns, modules, rank, threads] = process.argv.slice(2).map(Number)
console.log(JSON.stringify(await roundSpeed(rows!, columns!, modules!, rank!, threads!)))
